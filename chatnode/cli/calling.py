"""`chatnode call` and `chatnode check`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from chatnode import control_socket
from chatnode.cli.operator import run_operator_command


@click.command(short_help="Run any command by its name.")
@click.argument("command", required=False)
@click.argument("fields", nargs=-1)
@click.option("--token", envvar="CHATNODE_TOKEN", help="Act as the token's person instead of as operator.")
@click.option(
    "--url", envvar="CHATNODE_URL", default="http://127.0.0.1:8008", show_default=True, help="The node, with --token."
)
@click.pass_obj
def call(data: Path, command: str | None, fields: tuple[str, ...], token: str | None, url: str) -> None:
    """Run any command, e.g. `chatnode call people.get person=ann`.

    A field is NAME=TEXT, or NAME:=JSON for what is not a text. Without a command, lists them all, those of plugins too.
    """
    if command is None:
        from chatnode.cli.extensions import commands_of_plugins
        from chatnode.services import COMMANDS

        for each in (*COMMANDS, *commands_of_plugins()):
            click.echo(f"{each.name:32} {each.summary}")
        return
    values = dict(_field(text) for text in fields)
    if token is None:
        result = run_operator_command(data, command, **values)
    else:
        import trio

        result = trio.run(_call_as_person, url, token, command, values)
    click.echo(control_socket.shown(result))


async def _call_as_person(url: str, token: str, command: str, values: dict[str, Any]) -> Any:
    from chatnode.client import connect

    async with connect(url, token) as client:
        return await client.call(command, **values)


def _field(text: str) -> tuple[str, Any]:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise click.BadParameter(f"{text!r} is not UTF-8") from None
    name, separator, value = text.partition("=")
    if not separator or not name.rstrip(":"):
        raise click.BadParameter(f"{text!r} is neither NAME=TEXT nor NAME:=JSON")
    if not name.endswith(":"):
        return name, value
    import orjson

    try:
        return name[:-1], orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise click.BadParameter(f"{text!r}: the value is not JSON: {error}") from None


@click.command()
@click.option("--repair", is_flag=True, help="First make anew what is derived: counts, marks, threads, search…")
@click.pass_obj
def check(data: Path, repair: bool) -> None:
    """Prove that the database is sound; exits with 1 when it is not."""
    checked = run_operator_command(data, "node.repair" if repair else "node.check")
    for each in checked.get("repairs", ()):
        click.echo(f"repaired {each['name']}: {each['rows']} rows")
    for each in checked["checks"]:
        click.echo(f"{'ok' if not each['problems'] else 'FAILED':7}{each['name']}")
        for problem in each["problems"]:
            click.echo(f"       {problem}")
    sys.exit(0 if checked["clean"] else 1)
