"""The requester of a command, and how handlers read and write."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

from outcome import Outcome

from chatnode.addresses import client_key
from chatnode.concurrency import shielded
from chatnode.dispatch.core import Core
from chatnode.dispatch.limits import Rate
from chatnode.errors import NoCaller, Refusal
from chatnode.model import permissions
from chatnode.model.people import Account
from chatnode.model.records import record
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.deadlines import deadline
from chatnode.storage.engine.snapshot import Snapshot, open_snapshot
from chatnode.storage.engine.transaction import Planned, PlannedWrite, Read, Transaction, Write
from chatnode.storage.people import sessions
from chatnode.storage.people.sessions import Authenticated

T = TypeVar("T")
S = TypeVar("S")


class Turn(Protocol):
    """Keeps the requests of a session in order."""

    reply_is_coming: bool
    """The current request came alone and waits for its write: pushes to its session are sent with the reply."""

    def write_begins(self) -> None:
        """The request's write is queued, so the next request may begin."""
        ...

    def write_ends(self) -> None: ...

    async def wait_for_writes(self) -> None:
        """Wait until earlier writes are done, so that a read sees them."""
        ...


@record
class Caller:
    """A requester: a signed-in user, a client that is not signed in, or the operator.

    The operator uses the control socket or the command line: with access to the data directory they may do
    everything, but they are not a user and a member of no conversation.
    """

    core: Core
    account: Account | None = None
    session: int | None = None
    scopes: frozenset[str] | None = None
    """The token's scopes; None: everything that the user's role allows."""
    ends_at: int | None = None
    address: str = ""
    operator: bool = False
    turn: Turn | None = None
    """The request's turn among the concurrent requests of its session."""
    request: str | int | None = None
    """The client's id for the request, for the log."""
    depth: int = 0
    """How many commands called each other up to this one."""
    plugin: str | None = None
    """The plugin that runs the command, for the user or the operator."""
    takes_json: bool = False
    """Whether a handler may return `Encoded`: the reply goes to a client as it is."""
    limited: bool = True
    """Whether rate limits apply; not for the program that the node is embedded in, if it says so."""
    background: bool = False
    """There is no requester: a task, consumer or check of the node's own."""

    def sign_in(self, found: Authenticated) -> None:
        """From now on the requester is the token's owner, within the token's scopes."""
        self.account, self.session, self.scopes, self.ends_at = (
            found.account, found.session, found.scopes, found.ends_at,
        )  # fmt: skip

    @property
    def me(self) -> Account:
        """The requesting user; raises `Refusal` for the operator and without sign-in."""
        if self.account is None:
            raise Refusal("forbidden", "only a user can do this") if self.operator else self._nobody()
        return self.account

    def _nobody(self) -> Refusal:
        if self.background:
            return NoCaller()
        return unauthenticated()

    @property
    def payer(self) -> int | str:
        """The key that limits count by: the user, or without sign-in the client's address."""
        return self.account.key if self.account is not None else client_key(self.address)

    @property
    def rates(self) -> Mapping[str, Rate]:
        """The rate limits that hold for the requester, by name: bots have some of their own."""
        return self.core.rates if self.account is None or not self.account.bot else self.core.bot_rates

    def may(self, permission: str, reads: bool = False) -> bool:
        """Whether the role has the permission and the token's scopes include it.

        `reads`: for reading only, where the scope `<permission>:read` is enough.
        """
        if self.account is None:
            return self.operator
        if permission not in self.core.roles.get(self.account.role, ()):
            return False
        return self.scopes is None or permissions.in_scope(permission, reads, self.scopes)

    def check(self, permission: str, *, reads: bool = False) -> None:
        """Raises `Refusal` unless `may`: `unauthenticated` without sign-in, else `forbidden`."""
        if self.may(permission, reads=reads):
            return
        if self.account is None and not self.operator:
            raise self._nobody()
        if self.account is not None and permission in self.core.roles.get(self.account.role, ()):
            raise Refusal("forbidden", f"your token does not have the scope {permission}")
        raise Refusal("forbidden", f"your role does not have the permission {permission}")

    @property
    def permissions(self) -> frozenset[str]:
        """All permissions of the requester, writing included."""
        if self.account is None:
            return frozenset(self.core.permissions) if self.operator else frozenset()
        return frozenset(each for each in self.core.roles.get(self.account.role, ()) if self.may(each))

    async def write(self, function: Write[T], *, repeatable: bool = False) -> T:
        """`Database.write`, in the order of this session's requests.

        Raises `Refusal("unauthenticated")` if the session was revoked before the write was queued: nothing is written
        for a user who is signed out.
        """
        if self.turn is not None:
            self.turn.write_begins()
        try:
            return await self.core.db.write(self._while_signed_in(function), repeatable=repeatable)
        finally:
            if self.turn is not None:
                self.turn.write_ends()

    def _while_signed_in(self, function: Write[T]) -> Write[T]:
        """`function`, to run only if the requester's session is still valid. The only place that makes writes check
        it, but for bulks, which check `PlannedWrite.session`."""
        session = self.session
        if session is None:
            return function

        def still_signed_in(tx: Transaction) -> T:
            sessions.check_not_revoked(tx, session)
            return function(tx)

        return still_signed_in

    async def read(self, function: Read[T]) -> T:
        """`Database.read`, after the earlier writes of this session."""
        if self.turn is not None:
            await self.turn.wait_for_writes()
        return await self.core.db.read(function)

    def carry_out(self, plan: Planned[T]) -> Awaitable[T]:
        """Carry a plan out with `write` or `read`, and return its reply."""
        if isinstance(plan, PlannedWrite):
            result = self.write(plan.function, repeatable=True)
        else:
            result = self.read(plan.function)
        return result if plan.reply is None else _replied(result, plan.reply)

    def submit(self, plan: Planned[T], done: Callable[[Outcome[T]], object]) -> None:
        """Run a plan's function without a task: `done` is called once, on the trio thread, with what it returned or
        raised; with an inline database, before `submit` returns.

        The caller of this method applies the plan's `reply`, and keeps the session's requests in order. Raises
        `Refusal("unavailable")`.
        """
        if isinstance(plan, PlannedWrite):
            plan.function, plan.session = self._while_signed_in(plan.function), self.session
            self.core.db.submit(plan, done)
        else:
            self.core.db.submit_read(plan.function, done)

    async def query(self, function: Read[T], *, seconds: float | None = None) -> T:
        """Like `read`, for costly queries: in turn, and with a deadline.

        A user's queries run one at a time and always leave one reader free for others. Raises `Refusal("too_large")`
        after `seconds` (None: `limits.query_seconds`; 0: no deadline).
        """
        within = self.core.config.limits.query_seconds if seconds is None else seconds

        def run(reader: Reader) -> T:
            with deadline(reader, within, "request less"):
                return function(reader)

        async with self.core.queries.turn(self.account.key if self.account is not None else None):
            # The thread outlives a cancelled request; the next one waits for it.
            return await shielded(lambda: self.read(run))

    @asynccontextmanager
    async def snapshot(self) -> AsyncGenerator[Snapshot]:
        """A snapshot for long reads, which holds no reader of others: see `open_snapshot`. A few may be open at a time;
        others wait."""
        if self.turn is not None:
            await self.turn.wait_for_writes()
        async with self.core.long_reads, open_snapshot(self.core.db) as snapshot:
            yield snapshot

    def settings(self, kind: type[S]) -> S:
        """The settings of a plugin, by their class."""
        return self.core.settings(kind)

    def page_size(self, limit: int) -> int:
        """`limit`, but no more than the setting allows."""
        return min(limit, self.core.config.limits.page_items)


async def _replied(result: Awaitable[Any], reply: Callable[[Any], T]) -> T:
    return reply(await result)


def unauthenticated() -> Refusal:
    return Refusal("unauthenticated", "sign in first: send hello with a token, or a bearer token over HTTP")
