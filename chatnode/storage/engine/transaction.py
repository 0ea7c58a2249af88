"""What writing functions get: a transaction on the writer's connection, which also records events in the log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

import attrs

from chatnode.errors import Refusal
from chatnode.model.events import Event, MemberJoined, MemberLeft
from chatnode.model.times import now_ms
from chatnode.storage.engine.connection import Reader

T = TypeVar("T")
R = TypeVar("R")
Rows = Iterator[tuple[Any, ...]]


@attrs.define
class Recorded:
    """An event with its position in the log and its audience.

    `conversation` is the key of the conversation whose members see it, or None; `people` are the keys of further
    users who see it; `hidden_from` are keys of members who do not.
    """

    gid: int
    event: Event
    conversation: int | None
    people: Sequence[int]
    hidden_from: frozenset[int] = frozenset()


@attrs.define
class Change:
    """What a transaction records: the event and its row of the log. `conversation` is the key of the conversation
    whose members get it, or None; `people` are the keys of further users who get it; `subject`, with the kind,
    identifies what changed: the seq of a message, the key of a user.
    """

    gid: int
    event: Event
    conversation: int | None
    people: Sequence[int]
    subject: int
    actor: int | None


@attrs.frozen
class Follower:
    """Called when an event is recorded: before its row of the log is written, to notify further users; after that,
    for work in the same transaction.

    If that depends on the event, `select` returns the follower for this event, or None.
    """

    audience: Callable[[Transaction, Change], Iterable[int]] | None = None
    in_transaction: Callable[[Transaction, Change], None] | None = None
    select: Callable[[Event], Follower | None] | None = None


_MEMBERSHIPS = (MemberJoined, MemberLeft)
NO_FOLLOWERS: Mapping[str, Follower] = {}


class Transaction:
    """What a writing function works with: SQL and the log.

    `now` is in milliseconds and the same for the whole function; `next_gid` is the gid that the next recorded
    event gets.
    """

    __slots__ = ("connection", "execute", "executemany", "followers", "next_gid", "now", "recorded")

    def __init__(self, connection: Reader, next_gid: int, followers: Mapping[str, Follower] = NO_FOLLOWERS) -> None:
        self.connection = connection
        self.execute = connection.execute
        self.executemany = connection.executemany
        self.followers = followers
        self.next_gid = next_gid
        self.now = now_ms()
        self.recorded: list[Recorded] = []

    def record(
        self,
        event: Event,
        *,
        conversation: int | None = None,
        people: Sequence[int] = (),
        subject: int = 0,
        actor: int | None = None,
        hidden_from: frozenset[int] = frozenset(),
        private: bool = False,
    ) -> int:
        """Append the event to the log and return its gid.

        With `private`, the event names its conversation, but only the user in `people` sees it. `hidden_from` applies
        to the push; when the log is read later, the tables decide (`storage/log/log.py`). `subject` is the key or
        number from which, with the kind, the event can be rebuilt.
        """
        # A row of a conversation that names a person is theirs alone, unless it says who came or went.
        alone = len(people) == 1 and (private or conversation is None or isinstance(event, _MEMBERSHIPS))
        person = people[0] if alone else None
        gid, follower = self.next_gid, self.followers.get(event.name)
        if follower is not None and follower.select is not None:
            follower = follower.select(event)
        change = Change(gid, event, conversation, people, subject, actor) if follower is not None else None
        more = self._further(follower, change) if follower is not None and change is not None else ()
        self.execute(
            "INSERT INTO log (gid, conversation, person, kind, subject, actor, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (gid, conversation, person, event.name, subject, actor, self.now),
        )
        self.next_gid = gid + 1
        if more or (people and not alone):
            audience = set(more) if alone else {*people, *more}
            self.executemany("INSERT INTO log_audience (person, gid) VALUES (?, ?)", [(key, gid) for key in audience])
        heard = [*people, *more] if more else people
        self.recorded.append(Recorded(gid, event, None if private else conversation, heard, hidden_from))
        if change is not None and follower is not None and follower.in_transaction is not None:
            follower.in_transaction(self, change)
        return gid

    def attempt(self, part: Callable[[], object]) -> Refusal | None:
        """Run an optional part of the write: if it is refused, only the part is undone.

        Returns the refusal, or None. Any other exception undoes the whole write.
        """
        gid, recorded = self.next_gid, len(self.recorded)
        self.execute("SAVEPOINT part")
        refused = None
        try:
            part()
        except Refusal as refusal:
            refused = refusal
            self.execute("ROLLBACK TO part")
            self.next_gid = gid
            del self.recorded[recorded:]
        self.execute("RELEASE part")
        return refused

    def _further(self, follower: Follower, change: Change) -> list[int]:
        """Further users that plugins add to the audience."""
        if follower.audience is None:
            return []
        return [key for key in dict.fromkeys(follower.audience(self, change)) if key not in change.people]


def connection_of(source: Reader | Transaction) -> Reader:
    """A transaction's connection, or the reader itself."""
    return source.connection if isinstance(source, Transaction) else source


Write = Callable[[Transaction], T]
Read = Callable[[Reader], T]


@attrs.define
class PlannedWrite(Generic[T]):
    """A write that needs nothing but its transaction, so that no task has to wait for it: what a plain handler of a
    command returns. `function` may be run again after a rollback (`repeatable` of `Database.write`)."""

    function: Write[T]
    reply: Callable[[Any], T] | None = None

    def then(self, reply: Callable[[T], R]) -> PlannedWrite[R]:
        """The plan whose result is what `reply` makes of this one's, on the trio thread and after the commit."""
        return cast("PlannedWrite[R]", PlannedWrite(self.function, reply))


@attrs.define
class PlannedRead(Generic[T]):
    """The same for a read: `function` needs nothing but its snapshot."""

    function: Read[T]
    reply: Callable[[Any], T] | None = None

    def then(self, reply: Callable[[T], R]) -> PlannedRead[R]:
        """The plan whose result is what `reply` makes of this one's, on the trio thread."""
        return cast("PlannedRead[R]", PlannedRead(self.function, reply))


Plan = PlannedWrite[T] | PlannedRead[T]
