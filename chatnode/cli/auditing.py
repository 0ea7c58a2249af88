"""`chatnode audit`."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import click

from chatnode.cli.operator import with_operator
from chatnode.cli.remote import OperatorCall
from chatnode.errors import Refusal


@click.command()
@click.option("--actor", help="Handle of the user who acted.")
@click.option("--action", help="Command, such as people.role.")
@click.option("--target", help="Handle or id acted upon.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1))
@click.pass_obj
def audit(data: Path, actor: str | None, action: str | None, target: str | None, limit: int) -> None:
    """Print the audit log, newest first.

    It lists what administrators, moderators and the operator did.
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


async def _audit(fields: dict[str, Any], call: OperatorCall) -> tuple[list[dict[str, Any]], dict[Any, str]]:
    """The entries, and the handles of the people whose ids are in them."""
    entries: list[dict[str, Any]] = (await call("audit.list", **fields))["entries"]
    found: dict[Any, str] = {}
    for id in {text for each in entries for text in (each["target"], *each["details"].values()) if _is_id(text)}:
        try:
            found[id] = (await call("people.get", person=id))["person"]["handle"]
        except Refusal as refusal:
            if refusal.code != "not_found":  # otherwise it is the id of a conversation, a message, …
                raise
    return entries, found


def _is_id(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{32}", value) is not None
