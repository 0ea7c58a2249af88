"""Signed links to files. A link says who asks: it gives nothing that this user may not have when it is used, and ends
with the session that it was made in."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from chatnode.api import Account, Context, Querying, Refusal, check_can_act, find_person, holders_of, now_ms, record

SIGNATURE = "signature"
"""The field of a query without which it is no link."""
DAY_SECONDS = 24 * 3600


@record(frozen=True)
class FileLinks:
    """The links to files of one kind, for users with a permission; `also` names further fields that are signed."""

    purpose: str
    permission: str
    also: tuple[str, ...] = ()

    def make(self, ctx: Context, path: str, id: str, seconds: float, **also: str) -> str:
        """The address of the file for the requester, relative to the node's; `path` is that of the plugin's route."""
        query = {**also, "person": "" if ctx.operator else ctx.me.id}
        if ctx.session is not None:
            query["session"] = str(ctx.session)
        query[SIGNATURE] = ctx.sign(self.purpose, *self._signed(query, id), seconds=seconds)
        return f"/plugins/{ctx.name}/{path}?{urlencode(query)}"

    def check(self, ctx: Context, query: Mapping[str, str], id: str) -> None:
        """Raises `Refusal("not_found")` for a link that was changed, or has expired."""
        if not ctx.verify(query[SIGNATURE], self.purpose, *self._signed(query, id)):
            raise _no_such_link()

    def requester(self, reader: Querying, query: Mapping[str, str]) -> Account | None:
        """The account of a link that was checked, if it may still act and is signed in where it asked for the link;
        None for the operator. Raises `Refusal`: `not_found`, or `forbidden` without the permission."""
        if not query["person"]:
            return None
        try:
            account = check_can_act(reader, find_person(reader, query["person"]).key)
        except Refusal:
            raise _no_such_link() from None
        if (session := query.get("session")) and not _is_signed_in(reader, account, int(session)):
            raise _no_such_link()
        if all(each.key != account.key for each in holders_of(reader, self.permission, reads=True)):
            raise Refusal("forbidden", f"your role lacks the permission {self.permission} that the file needs")
        return account

    def _signed(self, query: Mapping[str, str], id: str) -> tuple[str, ...]:
        return id, *(query.get(name, "") for name in (*self.also, "person", "session"))


def _is_signed_in(reader: Querying, account: Account, session: int) -> bool:
    found = reader.execute(
        "SELECT 1 FROM sessions WHERE key = ? AND person = ? AND (expires_at IS NULL OR expires_at > ?)",
        (session, account.key, now_ms()),
    )
    return found.fetchone() is not None


def _no_such_link() -> Refusal:
    return Refusal("not_found", "the link is not valid, or has expired; ask for a new one")
