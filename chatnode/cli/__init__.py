"""The `chatnode` command."""

from __future__ import annotations

import copy
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TypeVar, cast

import click

from chatnode import __version__
from chatnode.errors import ConnectionLost, Refusal, StartError


class _Commands(click.Group):
    """Subcommands by name, each imported when it is asked for: a node carries nothing of a terminal's around.

    Plugins' own are named as the plugins are.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*_WHERE, *import_module("chatnode.cli.extensions").names()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _WHERE:
            found = import_module("chatnode.cli.extensions").find(ctx, cmd_name)
            return with_data(found) if found is not None else None
        module, _, name = _WHERE[cmd_name].partition(".")
        return with_data(getattr(import_module(f"chatnode.cli.{module}"), name))


_C = TypeVar("_C", bound=click.Command)


def with_data(command: _C) -> _C:
    """The command, and those below it, with `--data` of their own: people write it where it comes to their minds."""
    if command.name in _WITHOUT_DATA or any("--data" in each.opts for each in command.params):
        return command
    command = copy.copy(command)
    option = click.Option(
        ["--data"], type=click.Path(path_type=Path), expose_value=False, callback=_take_data, help="Data directory."
    )
    command.params = [*command.params, option]
    if isinstance(command, click.Group):
        command.commands = {name: with_data(each) for name, each in command.commands.items()}
    return command


def _take_data(context: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    root = context.find_root()
    if value is not None:
        if context.obj is root.params["data"]:  # else it is what a plugin's command calls, which asks the root
            context.obj = value
        root.params["data"] = root.obj = value


_WITHOUT_DATA = ("chat", "systemd")
_WHERE = {
    "audit": "auditing.audit",
    "backup": "backups.backup",
    "call": "calling.call",
    "chat": "chatting.chat",
    "check": "checking.check",
    "config": "printing.config",
    "export": "upkeep.export",
    "import": "importing.import_group",
    "invite": "accounts.invite",
    "migrate": "upkeep.migrate",
    "plugin": "plugins.plugin",
    "restore": "backups.restore",
    "role": "roles.role",
    "serve": "serving.serve",
    "setup": "accounts.setup",
    "systemd": "printing.systemd",
    "token": "accounts.token",
    "user": "accounts.user",
}


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="chatnode")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path("data"),
    envvar="CHATNODE_DATA",
    show_default=True,
    help="Data directory; created on first use.",
)
@click.pass_context
def cli(context: click.Context, data: Path) -> None:
    """A chat server in one process.

    Commands ask the node that runs on the data directory; if none runs, they open the directory themselves.
    """
    context.obj = data


def main() -> None:
    """Entry point: errors that name a place and a fix are printed as they are, and exit with 1."""
    try:
        cli(prog_name="chatnode")
    except (StartError, Refusal, ConnectionLost) as error:
        _fail(error)
    except OSError as error:
        if error.filename is None:
            raise
        _fail(StartError(f"{os.fsdecode(error.filename)}: {error.strerror}"))
    except UnicodeEncodeError as error:  # what the shell handed over as bytes of no text
        _fail(StartError(f"{error.object!r} is not UTF-8"))
    except ExceptionGroup as group:
        expected, rest = group.split((StartError, Refusal))
        if expected is None or rest is not None:
            raise
        _fail(_first(expected))


def _first(error: Exception) -> Exception:
    """The first error in the groups that nurseries make."""
    while isinstance(error, ExceptionGroup):
        error = cast("ExceptionGroup[Exception]", error).exceptions[0]
    return error


def _fail(error: Exception) -> None:
    message = str(error)
    if isinstance(error, Refusal):
        place = f" ({error.path})" if error.path else ""
        message = f"{error.message}{place} [{error.code}]"
    click.echo(f"chatnode: {message}", err=True)
    sys.exit(1)
