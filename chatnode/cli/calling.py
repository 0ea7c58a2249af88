"""`chatnode call`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from chatnode import control_socket
from chatnode.cli.addressing import url_of_node, url_option
from chatnode.cli.operator import run_operator_command
from chatnode.errors import ConnectionLost, Refusal


@click.command(short_help="Run any command by its name.")
@click.argument("command", required=False)
@click.argument("fields", nargs=-1)
@click.option("--token", envvar="CHATNODE_TOKEN", help="Act as the token's owner, not as the operator.")
@url_option
@click.pass_obj
def call(data: Path, command: str | None, fields: tuple[str, ...], token: str | None, url: str | None) -> None:
    """Run a command, such as `chatnode call people.get person=ann`.

    A field is NAME=TEXT, or NAME:=JSON for other values. Without COMMAND, list all commands, including plugins'.
    """
    if command is None:
        from chatnode.cli.extensions import commands_of_plugins
        from chatnode.services import COMMANDS

        for each in (*COMMANDS, *commands_of_plugins()):
            click.echo(f"{each.name:32} {each.summary}")
        return
    _check_encoding(command)
    values = _fields(fields)
    if token is None:
        result = run_operator_command(data, command, **values)
    else:
        result = _call_as_owner(url_of_node(url, data), token, command, values)
    click.echo(control_socket.shown(result))


def _call_as_owner(url: str, token: str, command: str, values: dict[str, Any]) -> Any:
    """Names the node that does not know the token: another one may run at the default address."""
    try:
        return _call_with_token(url, token, command, values)
    except Refusal as error:
        if error.code != "unauthenticated":
            raise
        why = f"{url}: {error.message}; use --url or CHATNODE_URL to connect to another node"
        raise Refusal(error.code, why, path=error.path) from None


def _call_with_token(url: str, token: str, command: str, values: dict[str, Any]) -> Any:
    from chatnode.cli import http_call

    try:
        return http_call.call(url, token, command, values)
    except http_call.NotSent:
        pass
    except ConnectionLost:
        from chatnode.client.calls import REPEATABLE

        if command not in REPEATABLE:
            raise
    import trio

    return trio.run(_call_as_person, url, token, command, values)


async def _call_as_person(url: str, token: str, command: str, values: dict[str, Any]) -> Any:
    from chatnode.client import connect

    async with connect(url, token) as client:
        return await client.call(command, **values)


def _check_encoding(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise click.BadParameter(f"{text!r} is not UTF-8") from None


def _fields(texts: Sequence[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in map(_field, texts):
        if name in values:
            raise click.BadParameter(f"{name} is given twice")
        values[name] = value
    return values


def _field(text: str) -> tuple[str, Any]:
    _check_encoding(text)
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
