"""`chatnode call` and `chatnode check`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import orjson
import trio

from chatnode.cli.operator import run_operator_command


@click.command()
@click.argument("command", required=False)
@click.argument("fields", nargs=-1)
@click.option("--token", envvar="CHATNODE_TOKEN", help="Act as the token's owner, not as the operator.")
@click.option(
    "--url",
    envvar="CHATNODE_URL",
    default="http://127.0.0.1:8008",
    show_default=True,
    help="URL of the node; used with --token.",
)
@click.pass_obj
def call(data: Path, command: str | None, fields: tuple[str, ...], token: str | None, url: str) -> None:
    """Run a command, such as `chatnode call people.get person=ann`.

    A field is NAME=TEXT, or NAME:=JSON for other values. Without COMMAND, list all commands, including plugins'.
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
        result = trio.run(_call_as_person, url, token, command, values)
    click.echo(orjson.dumps(result, option=orjson.OPT_INDENT_2).decode())


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
    try:
        return name[:-1], orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise click.BadParameter(f"{text!r}: the value is not JSON: {error}") from None


@click.command()
@click.option("--repair", is_flag=True, help="First rebuild derived data: counts, marks, threads, search…")
@click.pass_obj
def check(data: Path, repair: bool) -> None:
    """Check the database; exit with 1 if it has problems."""
    checked = run_operator_command(data, "node.repair" if repair else "node.check")
    for each in checked.get("repairs", ()):
        click.echo(f"repaired {each['name']}: {each['rows']} rows")
    for each in checked["checks"]:
        click.echo(f"{'ok' if not each['problems'] else 'FAILED':7}{each['name']}")
        for problem in each["problems"]:
            click.echo(f"       {problem}")
    sys.exit(0 if checked["clean"] else 1)
