"""Signed links to the file of rows that were not imported.

A link gives what the user who asked for it may have when it is used, and ends with the session that it was made in.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from chatnode.api import Context, Querying, Refusal, check_can_act, find_person, now_ms
from chatnode_crm.permissions import IMPORT

SIGNATURE = "signature"
_PURPOSE = "import errors"


def make_link(ctx: Context, id: str, verdicts: str, seconds: int) -> str:
    """The address for the requester, relative to the node's."""
    query = {"verdicts": verdicts, "person": "" if ctx.operator else ctx.me.id}
    if ctx.session is not None:
        query["session"] = str(ctx.session)
    query[SIGNATURE] = ctx.sign(_PURPOSE, *_signed(query, id), seconds=seconds)
    return f"/plugins/{ctx.name}/imports/{id}/errors?{urlencode(query)}"


async def asked_by_link(ctx: Context, query: Mapping[str, str], id: str) -> int | None:
    """The key of the user on whose behalf a link asks; None for the operator. Raises `Refusal("not_found")`."""
    if not ctx.verify(query[SIGNATURE], _PURPOSE, *_signed(query, id)):
        raise _no_such_link()
    if not query["person"]:
        return None
    try:
        key = await ctx.read(lambda reader: _requester(reader, query["person"], query.get("session", "")))
    except Refusal:
        raise _no_such_link() from None
    if all(each.key != key for each in await ctx.holders(IMPORT, reads=True)):
        raise _no_such_link()
    return key


def _signed(query: Mapping[str, str], id: str) -> tuple[str, ...]:
    return id, query.get("verdicts", ""), query.get("person", ""), query.get("session", "")


def _requester(reader: Querying, person: str, session: str) -> int:
    account = check_can_act(reader, find_person(reader, person).key)
    if session:
        found = reader.execute(
            "SELECT 1 FROM sessions WHERE key = ? AND person = ? AND (expires_at IS NULL OR expires_at > ?)",
            (int(session), account.key, now_ms()),
        )
        if found.fetchone() is None:
            raise _no_such_link()
    return account.key


def _no_such_link() -> Refusal:
    return Refusal("not_found", "the link is not valid, or has expired; ask for a new one")
