"""Signed links: they let a browser or a player fetch a file without the token of the user who asked for the link.

A link says who asks. It gives nothing that this user may not have when it is used, and it ends with the session that it
was made in: with signing out, on this device or on all.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from chatnode.api import Account, Context, Querying, Refusal, check_can_act, find_person, now_ms
from chatnode_attachments.serving.access import FILE

SIGNATURE = "signature"
"""The field of a link's query without which it is no link."""
DOWNLOAD = "download"
"""The field of a query, also without a link, that asks for a file to save."""
_PURPOSE = "file"


def make_link(ctx: Context, id: str, variant: str, *, attachment: bool, seconds: int) -> str:
    """The address of a file for the requesting user, relative to the node's."""
    session = {} if ctx.session is None else {"session": str(ctx.session)}
    query = {"person": ctx.me.id} | session | ({DOWNLOAD: "1"} if attachment else {})
    query[SIGNATURE] = ctx.sign(_PURPOSE, *_signed(query, id, variant), seconds=seconds)
    address = f"/plugins/{ctx.name}/files/{id}" + (f"/{variant}" if variant != FILE else "")
    return f"{address}?{urlencode(query)}"


async def asked_by_link(ctx: Context, query: Mapping[str, str], id: str, variant: str) -> Account:
    """The user on whose behalf a link asks. Raises `Refusal("not_found")` for one that is not, or no longer, valid."""
    if not ctx.verify(query[SIGNATURE], _PURPOSE, *_signed(query, id, variant)):
        raise _no_such_link()
    try:
        return await ctx.read(lambda reader: _requester(reader, query["person"], query.get("session", "")))
    except Refusal:
        raise _no_such_link() from None


def _signed(query: Mapping[str, str], id: str, variant: str) -> tuple[str, ...]:
    disposition = "attachment" if DOWNLOAD in query else "inline"
    return id, variant, query.get("person", ""), query.get("session", ""), disposition


def _requester(reader: Querying, person: str, session: str) -> Account:
    """The account, if it may still act and is signed in where it asked for the link. Raises `Refusal`."""
    account = check_can_act(reader, find_person(reader, person).key)
    if session:
        found = reader.execute(
            "SELECT 1 FROM sessions WHERE key = ? AND person = ? AND (expires_at IS NULL OR expires_at > ?)",
            (int(session), account.key, now_ms()),
        )
        if found.fetchone() is None:
            raise _no_such_link()
    return account


def _no_such_link() -> Refusal:
    return Refusal("not_found", "the link is not valid, or has expired; ask for a new one")
