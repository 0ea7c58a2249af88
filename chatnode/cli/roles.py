"""`chatnode role` and `chatnode audit`."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import click

from chatnode.cli.operator import Call, run_making_command, run_operator_command, with_operator
from chatnode.errors import Refusal


@click.group()
def role() -> None:
    """Roles, and what they may do."""


@role.command("list")
@click.pass_obj
def list_roles(data: Path) -> None:
    """Print every role with its permissions, and their meanings."""
    given = run_operator_command(data, "roles.list")
    for each in given["roles"]:
        click.echo(f"{each['role']:16}{each['people']:7} accounts  {' '.join(each['permissions'])}")
    click.echo()
    for each in given["permissions"]:
        click.echo(f"{each['permission']:16}{each['meaning']}")


@role.command("set")
@click.argument("name")
@click.argument("permissions", nargs=-1, required=True)
@click.pass_obj
def set_role(data: Path, name: str, permissions: tuple[str, ...]) -> None:
    """Create role NAME, or replace its permissions."""
    run_making_command(data, "roles.set", role=name, permissions=list(permissions))
    click.echo(f"{name} may now: {' '.join(permissions)}")


@role.command("delete")
@click.argument("name")
@click.pass_obj
def delete_role(data: Path, name: str) -> None:
    """Delete a role that nobody has."""
    run_operator_command(data, "roles.delete", role=name)
    click.echo(f"{name} is deleted")


@click.command()
@click.option("--actor", help="Handle of who did it.")
@click.option("--action", help="The command, such as people.role.")
@click.option("--target", help="Handle or id of what it was done to.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1))
@click.pass_obj
def audit(data: Path, actor: str | None, action: str | None, target: str | None, limit: int) -> None:
    """Print what people did with powers over others, newest first.

    These are administrators, moderators and the operator.
    """
    terms = {"actor": actor, "action": action, "target": target}
    fields = {name: value for name, value in terms.items() if value is not None}
    entries, handles = with_operator(data, partial(_audit, {"limit": limit, **fields}))
    for each in entries:
        who = each["actor"]["handle"] if "actor" in each else "(operator)"
        target = handles.get(each["target"], each["target"])
        named = {name: handles.get(value, value) for name, value in each["details"].items()}
        details = " ".join(f"{name}={value!r}" for name, value in named.items())
        click.echo(f"{each['at']}  {who:16}  {each['action']:20}  {target}  {details}".rstrip())


async def _audit(fields: dict[str, Any], call: Call) -> tuple[list[dict[str, Any]], dict[Any, str]]:
    """The entries, and the handles of the people whose ids are in them."""
    entries: list[dict[str, Any]] = (await call("audit.list", **fields))["entries"]
    found: dict[Any, str] = {}
    for id in {text for each in entries for text in (each["target"], *each["details"].values()) if _is_id(text)}:
        try:
            found[id] = (await call("people.get", person=id))["person"]["handle"]
        except Refusal as refusal:
            if refusal.code != "not_found":  # else it is of a conversation, a message, …
                raise
    return entries, found


def _is_id(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{32}", value) is not None
