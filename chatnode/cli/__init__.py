"""The `chatnode` command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

import click

from chatnode import __version__
from chatnode.cli import accounts, backups, calling, chatting, importing, roles, serving, upkeep
from chatnode.client.errors import ConnectionLost
from chatnode.errors import Refusal, StartError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="chatnode")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path("data"),
    envvar="CHATNODE_DATA",
    show_default=True,
    help="Data directory; made on first use.",
)
@click.pass_context
def cli(context: click.Context, data: Path) -> None:
    """A chat server in one process.

    With a node running on the data directory, commands ask it; otherwise they open the directory themselves.
    """
    context.obj = data


cli.add_command(serving.serve)
cli.add_command(accounts.setup)
cli.add_command(accounts.user)
cli.add_command(accounts.invite)
cli.add_command(accounts.token)
cli.add_command(roles.role)
cli.add_command(roles.audit)
cli.add_command(calling.call)
cli.add_command(calling.check)
cli.add_command(backups.backup)
cli.add_command(backups.restore)
cli.add_command(importing.import_group)
cli.add_command(upkeep.export)
cli.add_command(upkeep.migrate)
cli.add_command(chatting.chat)


def main() -> None:
    """Entry point: errors that name a place and a fix are printed as they are, and exit with 1."""
    try:
        cli(prog_name="chatnode")
    except (StartError, Refusal, ConnectionLost) as error:
        _fail(error)
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
