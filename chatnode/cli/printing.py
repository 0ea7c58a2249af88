"""`chatnode config` and `chatnode systemd`: the files of an installation, from the package itself."""

from __future__ import annotations

import shlex
import sys
from importlib.resources import files
from pathlib import Path

import click

from chatnode import bundle, config_file
from chatnode.config import settings_of
from chatnode.errors import StartError
from chatnode.storage.engine.directory import DataDirectory

DOCUMENTED = "/opt/chatnode/bin/chatnode"
"""What the unit in the package starts."""


@click.command()
@click.option("--check", is_flag=True, help="Check the data directory's settings instead.")
@click.pass_obj
def config(data: Path, check: bool) -> None:
    """Print every setting with its default, as a config.toml.

    With --check, read the data directory's config.toml and the environment as a starting node does, including plugins'
    settings; if something is wrong, print where and exit with 1.
    """
    if not check:
        click.echo(config_file.render(), nl=False)
        return
    from chatnode.certificates import contexts, wanted
    from chatnode.cli.extensions import sound

    directory = DataDirectory(data)
    path = directory.given_config
    if path is None:
        directory.require_node()
    settings = config_file.load(path)
    wanted.check(settings)
    if settings.server.tls_certificate:
        contexts.of_files(settings.server.tls_certificate, settings.server.tls_key)
    known: set[str] = set()
    for found, plugin in sound():
        known.add(found.name)
        if plugin.settings is not None:
            settings_of(settings, found.name, plugin.settings)
    for name in sorted({*settings.of_plugins, *settings.plugins.disabled} - known):
        place = settings.places.get(name, "plugins.disabled")
        raise StartError(f"{place}: there are settings for the plugin {name}, which is not installed")
    click.echo(f"ok: {path}" if path else f"ok: no {directory.config}; all settings have their defaults")


@click.command()
def systemd() -> None:
    """Print a systemd unit that starts this chatnode.

    chatnode systemd > /etc/systemd/system/chatnode.service
    """
    unit = files("chatnode.cli").joinpath("chatnode.service").read_text(encoding="utf-8")
    program = Path(sys.executable).absolute()
    if bundle.ROOT is None:
        program = program.with_name("chatnode")
    elif bundle.IS_ONE_FILE:  # it starts itself once more, and what serves is not the process that systemd started
        unit = unit.replace("Type=notify\n", "Type=notify\nNotifyAccess=all\n")
    if program.is_relative_to("/home") or program.is_relative_to("/root"):
        click.echo(f"chatnode: the service cannot access {program}; install chatnode outside /home and /root", err=True)
    click.echo(unit.replace(DOCUMENTED, shlex.quote(str(program)).replace("%", "%%")), nl=False)
