"""Who asks, and the ways a handler reads and writes."""

from __future__ import annotations

from typing import Protocol, TypeVar

import attrs

from chatnode.dispatch.core import Core
from chatnode.errors import Refusal
from chatnode.model.people import Account
from chatnode.storage.database import Read, Write

T = TypeVar("T")


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
class Context:
    """One requester: a person with a session, somebody not signed in, or the operator of the machine.

    The operator speaks over the control socket or is the command line itself: whoever can read the data
    directory may do everything, but is not a person and takes part in nothing.
    """

    core: Core
    account: Account | None = None
    session: int | None = None
    ends_at: int | None = None
    address: str = ""
    operator: bool = False
    writing: bool = False
    turn: Turn | None = None
    """The request's place among others of its session that are worked on at a time."""

    @property
    def me(self) -> Account:
        """The person who asks; raises `Refusal` for the operator, and for somebody not signed in."""
        if self.account is None:
            raise Refusal("forbidden", "only a person can do this") if self.operator else unauthenticated()
        return self.account

    def may(self, permission: str) -> bool:
        if self.account is None:
            return self.operator
        return permission in self.core.roles.get(self.account.role, ())

    async def write(self, function: Write[T]) -> T:
        """`Database.write`, in the order in which this session's requests came."""
        if self.turn is not None:
            self.turn.write_begins()
        self.writing = True
        try:
            return await self.core.db.write(function)
        finally:
            self.writing = False
            if self.turn is not None:
                self.turn.write_ends()

    async def read(self, function: Read[T]) -> T:
        """`Database.read`, after the writes that this session requested before."""
        if self.turn is not None:
            await self.turn.wait_for_writes()
        return await self.core.db.read(function)

    def page_size(self, limit: int) -> int:
        """`limit`, but no more than the setting allows."""
        return min(limit, self.core.config.limits.page_items)


def unauthenticated() -> Refusal:
    return Refusal("unauthenticated", "sign in first: say hello with a token, or send one as bearer")
