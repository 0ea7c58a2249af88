"""Signed links to files of plugins, for browsers and players that cannot send a token."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from chatnode.errors import Refusal
from chatnode.hooks.context import Context
from chatnode.model.people import Account
from chatnode.model.records import record
from chatnode.storage.engine.connection import Querying
from chatnode.storage.people import people, sessions

_SIGNATURE = "signature"


@record(frozen=True)
class FileLinks:
    """Signed links to files of one kind, for users with a permission: a program needs no token for them.

    A link says who asked for it. It gives nothing that this user may not have when it is used, and ends with the
    session that it was made in. `also` names further fields of the query that are signed.
    """

    purpose: str
    permission: str
    also: tuple[str, ...] = ()

    def make(self, ctx: Context, path: str, file: str, seconds: float, **also: str) -> str:
        """The address of a file for the requester, relative to the node's; `path` is that of the plugin's route.

        `file` says which file it is. Raises `ValueError` for other lengths of time than `ctx.sign` allows.
        """
        query = {**also, "person": "" if ctx.operator else ctx.me.id}
        if ctx.session is not None:
            query["session"] = str(ctx.session)
        query[_SIGNATURE] = ctx.sign(self.purpose, *self._signed(query, file), seconds=seconds)
        return f"/plugins/{ctx.name}/{path}?{urlencode(query)}"

    def is_link(self, query: Mapping[str, str]) -> bool:
        """Whether a request was made with a signed link, and not by a user who is signed in."""
        return _SIGNATURE in query

    def check(self, ctx: Context, query: Mapping[str, str], file: str) -> None:
        """Raises `Refusal("not_found")` for a link that was changed, has expired, or is to another file."""
        if not ctx.verify(query[_SIGNATURE], self.purpose, *self._signed(query, file)):
            raise _invalid_link()

    def requester(self, reader: Querying, query: Mapping[str, str]) -> Account | None:
        """The account of a link that was checked; None for the operator. Whether it may have the file is up to you.

        Raises `Refusal`: `not_found` unless the account is active and still signed in where it asked for the link,
        `forbidden` if it does not have the permission.
        """
        if not query["person"]:
            return None
        try:
            account = people.check_can_act(reader, people.find(reader, query["person"]).key)
        except Refusal:
            raise _invalid_link() from None
        if "session" in query and not sessions.is_active(reader, int(query["session"]), account.key):
            raise _invalid_link()
        if not people.holds(reader, account, self.permission, reads=True):
            raise Refusal("forbidden", f"your role lacks the permission {self.permission} that the file needs")
        return account

    def _signed(self, query: Mapping[str, str], file: str) -> tuple[str, ...]:
        """A field that is absent is not the same as an empty one."""
        return file, *(f"{name}={query[name]}" for name in (*self.also, "person", "session") if name in query)


def _invalid_link() -> Refusal:
    return Refusal("not_found", "the link is not valid, or has expired; request a new one")
