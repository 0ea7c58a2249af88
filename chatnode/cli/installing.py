"""`chatnode plugin install` and `uninstall`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from importlib import invalidate_caches
from pathlib import Path
from typing import Any

import click

from chatnode import bundle
from chatnode.cli.operator import is_served, run_operator_command, with_operator
from chatnode.cli.remote import OperatorCall
from chatnode.counting import counted
from chatnode.errors import Refusal, StartError
from chatnode.hooks.discovery import installed

OWN = "chatnode"
"""The distribution of the plugins that come with chatnode."""


def _files(data: Path, name: str) -> tuple[int, int]:
    """How many files the plugin keeps, and their size in bytes."""
    from chatnode.storage.engine.directory import DataDirectory  # storage is slow to import
    from chatnode.storage.node import plugin_directories

    return plugin_directories.count(DataDirectory(data).of_plugin(name))


def _versions() -> dict[str, str]:
    invalidate_caches()
    return {each.name: each.version for each in installed()}


@click.command()
@click.argument("what")
@click.pass_obj
def install(data: Path, what: str) -> None:
    """Install a plugin and check that it loads.

    WHAT is the name of a distribution, a wheel, or a directory with a pyproject.toml. A running node loads it at
    its next restart. If chatnode is a bundle with its own Python, the plugin goes into the data directory, and WHAT
    may not be a directory.
    """
    if what.startswith("-"):
        raise click.UsageError(f"{what!r} is not the name of a distribution")
    from chatnode.cli import packages

    before = _versions()
    packages.add(data, what)
    after = _versions()
    new = [name for name, version in after.items() if before.get(name) != version]
    if not new:
        click.echo(f"{what} has no new plugin, and none in another version; raise the version to install a change")
        return
    click.echo(f"installed {', '.join(f'{name} {after[name]}' for name in new)}")
    # In a process of its own, as what was imported here may be of the version before.
    check = [sys.executable, "-m", "chatnode", "--data", str(data), "plugin", "check", *new]
    environment = {**os.environ, **bundle.python_variables()}
    status = subprocess.run(check, env=environment, check=False).returncode
    if not status:
        _say_how_it_runs(data, new)
    sys.exit(status)


def _say_how_it_runs(data: Path, names: Sequence[str]) -> None:
    """A plugin that was disabled here stays disabled, also when it is uninstalled and installed again."""
    disabled = [name for name in names if name in _disabled(data)]
    for name in disabled:
        click.echo(f"{name} is disabled here; run `chatnode plugin enable {name}`")
    if is_served(data) and len(disabled) < len(names):
        click.echo("restart the node to load it")


def _disabled(data: Path) -> frozenset[str]:
    """The names of plugins that were disabled with `chatnode plugin disable`."""
    from chatnode.storage.engine.directory import DataDirectory  # storage is slow to import
    from chatnode.storage.node.plugins import known
    from chatnode.storage.upkeep.snapshots import open_read_only

    database = DataDirectory(data).database
    if not database.exists():
        return frozenset()
    with open_read_only(database) as reader:
        return frozenset(name for name, each in known(reader).items() if each.disabled)


@click.command()
@click.argument("name")
@click.option("--export", "destination", type=click.Path(path_type=Path), help="First export its data to this file.")
@click.option("--drop", "fate", flag_value="drop", help="Delete its data permanently.")
@click.option("--keep-data", "fate", flag_value="keep", help="Keep its data in case you reinstall it.")
@click.pass_obj
def uninstall(data: Path, name: str, destination: Path | None, fate: str | None) -> None:
    """Uninstall plugin NAME, and keep or drop its data.

    A plugin that comes with chatnode stays installed; you can disable it and then drop its data.
    """
    distribution = {each.name: each.distribution for each in installed()}.get(name)
    _refuse_running(data, name, builtin=distribution == OWN)
    if distribution == OWN and fate != "drop":
        raise StartError(f"{name} comes with chatnode and cannot be uninstalled; use --drop to delete its data")
    from chatnode.cli import packages

    tables = _tables(data, name)
    files, size = _files(data, name)
    held = [*tables, *([f"{counted(files, 'file')}, {size >> 20} MiB"] if files else [])]
    if fate is None and held:
        destination, fate = _confirm(name, held, destination)
    if destination is not None:
        click.echo(f"wrote {counted(_export(data, name, tables, destination), 'row')} to {destination}")
    if distribution not in (None, "", OWN):
        packages.remove(data, str(distribution))
        if name in _versions():  # pip says nothing of what it leaves alone, such as what is outside of its environment
            raise StartError(f"pip did not uninstall {distribution}; nothing was dropped")
        click.echo(f"uninstalled {distribution}")
    if fate == "drop" and held:
        dropped = run_operator_command(data, "plugins.drop", plugin=name, confirm=name)
        click.echo(f"dropped {', '.join(dropped['tables'])}")
        if dropped["files"]:
            click.echo(f"deleted {counted(dropped['files'], 'file')}")
    elif held:
        click.echo(f"kept {', '.join(held)}")


def _refuse_running(data: Path, name: str, *, builtin: bool) -> None:
    """Under a node that serves nothing is taken away; of what comes with chatnode neither without a node."""
    plugins = run_operator_command(data, "plugins.list")["plugins"]
    runs = {each["name"]: each["state"] for each in plugins}.get(name) == "running"
    if runs and builtin:
        raise StartError(f"{name} comes with chatnode; use `chatnode plugin disable {name}` instead")
    if runs and is_served(data):
        raise StartError(
            f"{name} is in use by the node on {data}: run `chatnode plugin disable {name}`, restart the node, "
            "then uninstall it"
        )


def _tables(data: Path, name: str) -> list[str]:
    try:
        return run_operator_command(data, "plugins.export", plugin=name)["tables"]
    except Refusal as refusal:
        if refusal.code != "not_found":
            raise
    if name not in _versions():
        raise StartError(f"no plugin {name} is installed, and it has no data here")
    return []


def _confirm(name: str, held: list[str], destination: Path | None) -> tuple[Path | None, str]:
    if not sys.stdin.isatty():
        raise click.UsageError(f"{name} has data ({', '.join(held)}); choose --drop or --keep-data")
    click.echo(f"{name} has data: {', '.join(held)}")
    if destination is None and click.confirm("Export it to a file first?"):
        destination = click.prompt("File", type=click.Path(path_type=Path), default=Path(f"{name}.jsonl"))
    return destination, "drop" if click.confirm("Delete it permanently?") else "keep"


def _export(data: Path, name: str, tables: list[str], destination: Path) -> int:
    """One line of JSON for each row, with its table; gives how many."""

    import orjson

    from chatnode.storage.upkeep.files import appearing

    async def main(call: OperatorCall) -> int:
        count = 0
        for table in tables:
            async for row in _rows(call, name, table):
                out.write(orjson.dumps({"table": table, **row}) + b"\n")
                count += 1
        return count

    with appearing(destination) as out:
        return with_operator(data, main)


async def _rows(call: OperatorCall, name: str, table: str) -> AsyncIterator[dict[str, Any]]:
    fields: dict[str, Any] = {"plugin": name, "table": table}
    while True:
        page = await call("plugins.export", **fields)
        for row in page["rows"]:
            yield row
        if "next" not in page:
            return
        fields["after"] = page["next"]
