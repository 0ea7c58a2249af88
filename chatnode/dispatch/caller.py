"""Who asks, and the ways a handler reads and writes."""

from __future__ import annotations

from typing import Protocol, TypeVar

import attrs
import trio

from chatnode.addresses import client_key
from chatnode.dispatch.core import Core
from chatnode.errors import Refusal
from chatnode.model import permissions
from chatnode.model.people import Account
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.cutting import deadline
from chatnode.storage.engine.transaction import Read, Transaction, Write
from chatnode.storage.people import sessions
from chatnode.storage.people.sessions import Authenticated

T = TypeVar("T")
S = TypeVar("S")


class Turn(Protocol):
    """Keeps the requests of one session in order."""

    def write_begins(self) -> None:
        """The request's write gets its place in the order of writes now: the next request may begin."""
        ...

    def write_ends(self) -> None: ...

    async def wait_for_writes(self) -> None:
        """Until the writes that began before are done, so that a read sees them."""
        ...


@attrs.define
class Caller:
    """One requester: a person with a session, somebody not signed in, or the operator of the machine.

    The operator speaks over the control socket or is the command line itself: whoever can read the data
    directory may do everything, but is not a person and takes part in nothing.
    """

    core: Core
    account: Account | None = None
    session: int | None = None
    scopes: frozenset[str] | None = None
    """What the token is bounded to; None: nothing but the person's role."""
    ends_at: int | None = None
    address: str = ""
    operator: bool = False
    writing: bool = False
    turn: Turn | None = None
    """The request's place among others of its session that are worked on at a time."""
    request: str | int | None = None
    """What the client calls the request, for the log."""
    depth: int = 0
    """How many commands called one another until this one."""
    plugin: str | None = None
    """The plugin that runs the command, for the user or the operator."""
    background: bool = False
    """Nobody asks: a task, consumer or check of the node's own."""

    def sign_in(self, found: Authenticated) -> None:
        """From now on this is the person whose token it is, within the token's scopes."""
        self.account, self.session, self.scopes, self.ends_at = (
            found.account, found.session, found.scopes, found.ends_at,
        )  # fmt: skip

    @property
    def me(self) -> Account:
        """The person who asks; raises `Refusal` for the operator, and for somebody not signed in."""
        if self.account is None:
            raise Refusal("forbidden", "only a person can do this") if self.operator else self._nobody()
        return self.account

    def _nobody(self) -> Refusal:
        if self.background:
            return Refusal("forbidden", "nobody asks here: act with ctx.as_person(…) or ctx.as_operator()")
        return unauthenticated()

    @property
    def payer(self) -> int | str:
        """Whom limits count against: the person, or where somebody not signed in asks from."""
        return self.account.key if self.account is not None else client_key(self.address)

    def may(self, permission: str, *, reads: bool = False) -> bool:
        """Whether the role has the permission and the token does not take it away.

        `reads`: for something that only reads, for which the scope `<permission>:read` is enough.
        """
        if self.account is None:
            return self.operator
        if permission not in self.core.roles.get(self.account.role, ()):
            return False
        return permissions.in_scope(permission, reads, self.scopes)

    def check(self, permission: str, *, reads: bool = False) -> None:
        """Raises `Refusal` unless `may`: `unauthenticated` for somebody not signed in, else `forbidden`."""
        if self.may(permission, reads=reads):
            return
        if self.account is None and not self.operator:
            raise self._nobody()
        if self.account is not None and permission in self.core.roles.get(self.account.role, ()):
            raise Refusal("forbidden", f"your token does not have the scope {permission}")
        raise Refusal("forbidden", f"your role does not have the permission {permission}")

    @property
    def permissions(self) -> frozenset[str]:
        """All that may be done here, writing included."""
        if self.account is None:
            return frozenset(self.core.permissions) if self.operator else frozenset()
        return frozenset(each for each in self.core.roles.get(self.account.role, ()) if self.may(each))

    async def write(self, function: Write[T], *, repeatable: bool = False) -> T:
        """`Database.write`, in the order in which this session's requests came.

        Raises `Refusal("unauthenticated")` when the session was revoked before the write had its place: nothing is
        written for somebody who is signed out, whatever was under way.
        """
        session = self.session

        def still_signed_in(tx: Transaction) -> T:
            if session is not None:
                sessions.check_not_revoked(tx, session)
            return function(tx)

        if self.turn is not None:
            self.turn.write_begins()
        self.writing = True
        try:
            return await self.core.db.write(still_signed_in, repeatable=repeatable)
        finally:
            self.writing = False
            if self.turn is not None:
                self.turn.write_ends()

    async def read(self, function: Read[T]) -> T:
        """`Database.read`, after the writes that this session requested before."""
        if self.turn is not None:
            await self.turn.wait_for_writes()
        return await self.core.db.read(function)

    async def query(self, function: Read[T], *, seconds: float | None = None) -> T:
        """`read`, for what costs more than the page it returns: in turn, and with a deadline.

        One user's queries run one after the other, and always leave one reader to others. Raises `Refusal("too_large")`
        after `seconds` (None: `limits.query_seconds`; 0: no deadline).
        """
        within = self.core.config.limits.query_seconds if seconds is None else seconds

        def run(reader: Reader) -> T:
            with deadline(reader, within, "ask for less"):
                return function(reader)

        async with self.core.queries.take(self.account.key if self.account is not None else None):
            with trio.CancelScope(
                shield=True
            ) as scope:  # the thread outlives a cancelled request; the next one waits for it
                return await self.read(run)
        raise AssertionError(scope)  # nobody cancels it

    def settings(self, kind: type[S]) -> S:
        """The settings of a plugin, by their class."""
        return self.core.settings(kind)

    def page_size(self, limit: int) -> int:
        """`limit`, but no more than the setting allows."""
        return min(limit, self.core.config.limits.page_items)


def unauthenticated() -> Refusal:
    return Refusal("unauthenticated", "sign in first: say hello with a token, or send one as bearer")
