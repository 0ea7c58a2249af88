"""What plugins add to storage. Without plugins every entry is empty, and costs a look at it.

The entries are set once, before the database opens, by `chatnode/hooks/manager.py`; storage knows no plugin by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from chatnode.model.events import Event
from chatnode.model.messages import Message
from chatnode.model.people import Person

if TYPE_CHECKING:
    from chatnode.storage.connection import Reader
    from chatnode.storage.log import Row
    from chatnode.storage.transaction import Transaction


@attrs.define
class Change:
    """What a transaction records: the event, and its row of the log.

    `conversation` is the key of the conversation whose participants hear it, or None; `people` are the keys of those
    who hear it whether they take part or not; `subject` is what, with the kind, names the thing that changed: the
    seq of a message, the key of a person.
    """

    gid: int
    event: Event
    conversation: int | None
    people: Sequence[int]
    subject: int
    actor: int | None


@attrs.frozen
class EventKind:
    """A plugin's durable event, and how it is made again from the tables for who was away.

    `make` gets the row of the log, and gives None when there is nothing left to tell. What is made says how things are
    now. `of_message`: the row's `subject` is the seq of a message, and only who may see that message is told.
    """

    event: type[Event]
    make: Callable[[Reader, Row], Event | None]
    of_message: bool = False


@attrs.frozen
class Table:
    """What the node has to know of a plugin's table that names people or messages, also while the plugin is disabled.

    `people` are the columns with keys of people: a row goes when one of them is erased. `message` is the column with
    the key of a message: a row goes when that message is deleted or removed. `export` is SQL for what a person is
    given with all their data: it takes `:person`, `:after` and `:limit` and gives rows in the order of their first
    column, a whole number above `:after`, which is not shown. The table must have a rowid, and an index for each of
    these columns.
    """

    name: str
    people: tuple[str, ...] = ()
    message: str | None = None
    export: str | None = None


@attrs.frozen
class Follower:
    """What is called when an event is recorded: for further people to be told, before its row of the log is written;
    and for what is to hold together with it, after that."""

    audience: Callable[[Transaction, Change], Iterable[int]] | None = None
    in_transaction: Callable[[Transaction, Change], None] | None = None


Problems = Callable[["Reader"], list[str]]
"""A check: a line for each problem that it finds."""


@attrs.define
class StorageHooks:
    """What is called, and what is looked up. All of it is called inside a transaction or a reader's snapshot."""

    followers: Mapping[str, Follower] = attrs.field(factory=dict[str, "Follower"])
    """By the names of the events that plugins follow; all others cost nothing."""
    enrich_messages: Callable[[Reader | Transaction, Sequence[Message]], None] | None = None
    enrich_people: Callable[[Reader, Sequence[Person]], list[Person]] | None = None
    events: Mapping[str, EventKind] = attrs.field(factory=dict[str, EventKind])
    tables: Sequence[Table] = ()
    checks: Mapping[str, Problems] = attrs.field(factory=dict[str, "Problems"])
    permissions: Mapping[str, str] = attrs.field(factory=dict[str, str])
    """Plugins' own, with what each allows."""


NO_HOOKS: Any = StorageHooks()
