"""What plugins add to storage. Without plugins every entry is empty, and costs one look at it.

The entries are set once, before the database opens, by `chatnode/hooks/manager.py`; storage knows no plugin by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs

from chatnode.model.events import Event
from chatnode.model.messages import Message
from chatnode.model.people import Account, Person
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.row import Row
from chatnode.storage.engine.transaction import Follower, Transaction


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


Problems = Callable[[Reader], list[str]]
"""A check: a line for each problem that it finds."""


@attrs.define
class Additions:
    """What is called, and what is looked up. All of it is called inside a transaction or a reader's snapshot."""

    followers: Mapping[str, Follower] = attrs.field(factory=dict[str, Follower])
    """By the names of the events that plugins follow; all others cost nothing."""
    enrich_messages: Callable[[Reader | Transaction, Sequence[Message], Account | None], None] | None = None
    """Given what to show, and who alone reads it."""
    enrich_people: Callable[[Reader, Sequence[Person], Account | None], list[Person]] | None = None
    events: Mapping[str, EventKind] = attrs.field(factory=dict[str, EventKind])
    tables: Sequence[Table] = ()
    checks: Mapping[str, Problems] = attrs.field(factory=dict[str, Problems])
    permissions: Mapping[str, str] = attrs.field(factory=dict[str, str])
    """Plugins' own, with what each allows."""


_NONE = Additions()


def additions(source: Reader | Transaction) -> Additions:
    """What plugins add to a connection or transaction of a node; nothing for any other."""
    connection = source.connection if isinstance(source, Transaction) else source
    found = connection.additions
    return found if isinstance(found, Additions) else _NONE
