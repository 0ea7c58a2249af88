"""Signed links to files of exports. A link says who asks: it gives nothing that this user may not have when it is used,
and ends with the session that it was made in."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from chatnode.api import Account, Context, Querying, Refusal, check_can_act, find_person, now_ms

SECONDS = 24 * 3600
SIGNATURE = "signature"
"""The field of a query without which it is no link."""
_PURPOSE = "export"


def make(ctx: Context, export: str, person: str, seconds: float) -> str:
    """The address of the file for the user with the id `person`, relative to the node's."""
    query = {"person": person} | ({} if ctx.session is None else {"session": str(ctx.session)})
    query[SIGNATURE] = ctx.sign(_PURPOSE, *_signed(query, export), seconds=seconds)
    return f"/plugins/{ctx.name}/exports/{export}?{urlencode(query)}"


def check_signature(ctx: Context, query: Mapping[str, str], export: str) -> None:
    """Raises `Refusal("not_found")` for a link that was changed, or has expired."""
    if not ctx.verify(query[SIGNATURE], _PURPOSE, *_signed(query, export)):
        raise no_such_link()


def requester(reader: Querying, query: Mapping[str, str]) -> Account:
    """The account of a link that was checked, if it may still act and is signed in where it asked for the link. Raises
    `Refusal("not_found")`."""
    try:
        account = check_can_act(reader, find_person(reader, query["person"]).key)
    except Refusal:
        raise no_such_link() from None
    if session := query.get("session"):
        found = reader.execute(
            "SELECT 1 FROM sessions WHERE key = ? AND person = ? AND (expires_at IS NULL OR expires_at > ?)",
            (int(session), account.key, now_ms()),
        )
        if found.fetchone() is None:
            raise no_such_link()
    return account


def no_such_link() -> Refusal:
    return Refusal("not_found", "the link is not valid, or has expired; ask for a new one")


def _signed(query: Mapping[str, str], export: str) -> tuple[str, ...]:
    return export, query.get("person", ""), query.get("session", "")
