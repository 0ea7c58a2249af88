"""What writing functions get: a transaction on the writer's connection, which also records events in the log."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar, cast

import attrs
import outcome

from chatnode.errors import Refusal, UnknownName
from chatnode.model.events import Event, MemberJoined, MemberLeft
from chatnode.model.records import record
from chatnode.model.times import now_ms
from chatnode.storage.engine.arrays import json_array
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.dialect import items_of
from chatnode.storage.engine.finished import finished
from chatnode.storage.engine.row import Row

T = TypeVar("T")
R = TypeVar("R")


@record
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


@record
class RecordedRun:
    """Events of one kind, with the gids from `gid` to `last`, that are pushed to nobody (`Transaction.record_many`)."""

    gid: int
    last: int
    kind: type[Event]


Committed = Recorded | RecordedRun
"""What a transaction has recorded, in the order of gids."""


def first_gids(recorded: Sequence[Committed]) -> dict[str, int]:
    """The kinds of what was recorded, each with its first gid, in the order of these."""
    firsts: dict[str, int] = {}
    for each in recorded:
        kind = each.event.name if isinstance(each, Recorded) else each.kind.name
        if kind not in firsts:
            firsts[kind] = each.gid
    return firsts


@record
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


@record(frozen=True)
class Follower:
    """Called when an event is recorded: before its row of the log is written, to notify further users; after that,
    for work in the same transaction.

    If that depends on the event, `select` returns the follower for this event, or None.
    """

    audience: Callable[[Transaction, Change], Iterable[int]] | None = None
    in_transaction: Callable[[Transaction, Change], None] | None = None
    select: Callable[[Event], Follower | None] | None = None
    make: Callable[[Reader, Row], Event | None] | None = None
    """Makes the event of a row, for `Transaction.record_many`; None if there is nothing left to tell."""


_INSERT_LOG = "INSERT INTO log (gid, conversation, person, kind, subject, actor, at) VALUES (?, ?, ?, ?, ?, ?, ?)"
_INSERT_RUN = (
    "INSERT INTO log (gid, kind, subject, actor, at) "  # noqa: S608
    f"SELECT :first + item.key, :kind, CAST(item.value AS bigint), :actor, :at FROM {items_of(':subjects', 'item')}"
)
"""Rows that follow each other: a third of what the same rows cost one by one."""
_MEMBERSHIPS = (MemberJoined, MemberLeft)
NO_FOLLOWERS: Mapping[str, Follower] = {}


class Transaction:
    """What a writing function works with: SQL and the log.

    `now` is in milliseconds and the same for the whole function; `next_gid` is the gid that the next recorded
    event gets.
    """

    __slots__ = ("connection", "events", "execute", "executemany", "followers", "next_gid", "now", "recorded")

    def __init__(
        self,
        connection: Reader,
        next_gid: int,
        followers: Mapping[str, Follower] = NO_FOLLOWERS,
        events: Container[str] = (),
    ) -> None:
        self.connection = connection
        self.events = events
        """Names of the events that are declared; empty if nobody has declared any, as for a tool without a node."""
        self.execute = connection.execute
        self.executemany = connection.executemany
        self.followers = followers
        self.next_gid = next_gid
        self.now = now_ms()
        self.recorded: list[Committed] = []

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

        Raises `UnknownName` for an event that nobody has declared: users who are away would never get it.
        """
        if self.events and event.name not in self.events:
            raise _undeclared(event.name)
        # A row of a conversation that names a person is theirs alone, unless it says who came or went.
        alone = len(people) == 1 and (private or conversation is None or isinstance(event, _MEMBERSHIPS))
        person = people[0] if alone else None
        gid, follower = self.next_gid, follower_of(self, event)
        change = Change(gid, event, conversation, people, subject, actor) if follower is not None else None
        more = self._further(follower, change) if follower is not None and change is not None else ()
        self._log((gid, conversation, person, event.name, subject, actor, self.now))
        self.next_gid = gid + 1
        if more or (people and not alone):
            audience = set(more) if alone else {*people, *more}
            self.executemany("INSERT INTO log_audience (person, gid) VALUES (?, ?)", [(key, gid) for key in audience])
        heard = [*people, *more] if more else people
        self.recorded.append(Recorded(gid, event, None if private else conversation, heard, hidden_from))
        if change is not None and follower is not None and follower.in_transaction is not None:
            follower.in_transaction(self, change)
        return gid

    def record_many(self, event: type[Event], subjects: Sequence[int], *, actor: int | None = None) -> Sequence[int]:
        """Append an event of this kind for each of the subjects, in one go, and return their gids.

        The events have no audience and belong to no conversation: only consumers get them, and read each from its row.
        If a plugin follows the kind (`audience`, `in_transaction`), each event is made from its row and recorded by
        itself, so that the plugin is called for each.
        """
        first, kind = self.next_gid, event.name
        if self.events and kind not in self.events:
            raise _undeclared(kind)
        follower = self.followers.get(kind)
        if follower is not None and follower.make is not None:
            return [self._record_followed(follower.make, event, subject, actor) for subject in subjects]
        if subjects:
            self._log_run(first, kind, subjects, actor)
            self.next_gid += len(subjects)
            self.recorded.append(RecordedRun(first, self.next_gid - 1, event))
        return range(first, self.next_gid)

    def _record_followed(
        self, make: Callable[[Reader, Row], Event | None], event: type[Event], subject: int, actor: int | None
    ) -> int:
        row = Row(self.next_gid, None, "", event.name, subject, actor, self.now)
        made = make(self.connection, row)
        if made is not None:
            return self.record(made, subject=subject, actor=actor)
        self._log((row.gid, None, None, row.kind, subject, actor, row.at))
        self.next_gid += 1
        self.recorded.append(RecordedRun(row.gid, row.gid, event))
        return row.gid

    def _log(self, row: tuple[Any, ...]) -> None:
        self.execute(_INSERT_LOG, row)

    def _log_run(self, first: int, kind: str, subjects: Sequence[int], actor: int | None) -> None:
        each = json_array(subjects)
        self.execute(_INSERT_RUN, {"first": first, "kind": kind, "subjects": each, "actor": actor, "at": self.now})

    def attempt(self, part: Callable[[], object]) -> Refusal | None:
        """Run an optional part of the write: if it is refused, only the part is undone.

        Returns the refusal, or None. Any other exception undoes the whole write.
        """
        gid, recorded = self.next_gid, len(self.recorded)
        self.execute("SAVEPOINT part")
        refused = None
        try:
            finished(part())
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


class BulkTransaction(Transaction):
    """The transaction of a bulk. While `holds` is set, rows of the log are kept back; `release` writes them together.

    The bulk must release them before anything runs that may read the log.
    """

    def __init__(
        self,
        connection: Reader,
        next_gid: int,
        followers: Mapping[str, Follower] = NO_FOLLOWERS,
        events: Container[str] = (),
    ) -> None:
        super().__init__(connection, next_gid, followers, events)
        self.holds = True
        self._rows: list[tuple[Any, ...]] = []

    def _log(self, row: tuple[Any, ...]) -> None:
        if self.holds:
            self._rows.append(row)
        else:
            super()._log(row)

    def _log_run(self, first: int, kind: str, subjects: Sequence[int], actor: int | None) -> None:
        if self.holds:
            self._rows += [(gid, None, None, kind, each, actor, self.now) for gid, each in enumerate(subjects, first)]
        else:
            super()._log_run(first, kind, subjects, actor)

    def release(self) -> None:
        if self._rows:
            self.executemany(_INSERT_LOG, self._rows)
            self._rows.clear()


def _undeclared(event: str) -> UnknownName:
    return UnknownName(
        f"the event {event} is not declared, so it cannot be recorded: add its EventKind to Plugin.events"
    )


def follower_of(tx: Transaction, event: Event) -> Follower | None:
    """What plugins do about this event; None if they do nothing."""
    follower = tx.followers.get(event.name)
    return follower.select(event) if follower is not None and follower.select is not None else follower


Write = Callable[[Transaction], T]
Read = Callable[[Reader], T]


Known = dict[Any, Any]
"""What a bulk remembers between its runs. It is emptied, never during a run, whenever anything else may have written or
a rollback has undone what the bulk wrote."""


class Bulk(Protocol):
    """Runs neighbours of a group in one go. This costs less than running each by itself and has the same effect: the
    same rows and results, and the same events in the order of the plans. It yields the outcome of each plan in turn.

    It yields an `outcome.Error` only for a plan that has changed nothing. If it raises, everything is undone, and the
    function of each plan is run instead.
    """

    def __call__(
        self, tx: BulkTransaction, known: Known, plans: Sequence[PlannedWrite[Any]], /
    ) -> Iterator[outcome.Outcome[Any]]: ...


@record
class PlannedWrite(Generic[T]):
    """A write that needs nothing but its transaction, so that no task has to wait for it. A plain handler of a command
    returns one. `function` may be run again after a rollback (`repeatable` of `Database.write`).

    If there is a `bulk`, it stands in for `function` when neighbours in a group have the same one; `asked` is what it
    works on. Both must have the same effect, whatever wraps the function.
    """

    function: Write[T]
    reply: Callable[[Any], T] | None = None
    bulk: Bulk | None = attrs.field(default=None, kw_only=True)
    asked: Any = attrs.field(default=None, kw_only=True)
    session: int | None = attrs.field(default=None, kw_only=True)
    """The key of the requesting session. A bulk must check it, as `Caller` makes `function` do."""

    def then(self, reply: Callable[[T], R]) -> PlannedWrite[R]:
        """A plan that replies with what `reply` makes of this one's result, on the trio thread after the commit."""
        plan = PlannedWrite[Any](self.function, reply, bulk=self.bulk, asked=self.asked)
        return cast("PlannedWrite[R]", plan)


@record
class PlannedRead(Generic[T]):
    """The same for a read: `function` needs nothing but a snapshot."""

    function: Read[T]
    reply: Callable[[Any], T] | None = None

    def then(self, reply: Callable[[T], R]) -> PlannedRead[R]:
        """A plan that replies with what `reply` makes of this one's result, on the trio thread."""
        return cast("PlannedRead[R]", PlannedRead(self.function, reply))


Planned = PlannedWrite[T] | PlannedRead[T]
