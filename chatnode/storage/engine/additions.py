"""What plugins add to storage. An entry that no plugin uses costs one lookup.

The entries are set once, before the database opens, by `chatnode/hooks/manager.py`; storage knows no plugin by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs

from chatnode.model.events import Event
from chatnode.model.messages import Message
from chatnode.model.people import Person
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.row import Row
from chatnode.storage.engine.transaction import Follower, Transaction


@attrs.frozen
class EventKind:
    """A plugin's durable event, and how to rebuild it from the tables.

    `make` gets the row of the log and returns the event with the current state, or None if there is nothing left to
    send. `of_message`: the row's `subject` is the seq of a message, and only users who may see that message get the
    event.
    """

    event: type[Event]
    make: Callable[[Reader, Row], Event | None]
    of_message: bool = False


@attrs.frozen
class Table:
    """A plugin's table that refers to users or messages, as the node must know it even while the plugin is disabled.

    `people` are the columns with keys of users: a row is deleted when one of them is erased. `message` is the column
    with the key of a message: a row is deleted with that message. `export` is SQL for the table's part of a user's
    export: it takes `:person`, `:after` and `:limit` and returns rows in the order of their first column, an integer
    above `:after`, which is not shown. The table must have a rowid, and an index for each of these columns.
    """

    name: str
    people: tuple[str, ...] = ()
    message: str | None = None
    export: str | None = None


Problems = Callable[[Reader], list[str]]
"""A check; returns a line for each problem."""


@attrs.define
class Additions:
    """What is called, and what is looked up. All of it is called inside a transaction or a reader's snapshot."""

    followers: Mapping[str, Follower] = attrs.field(factory=dict[str, Follower])
    """By name of the events that plugins follow; other events cost nothing."""
    enrich_messages: Callable[[Reader | Transaction, Sequence[Message]], None] | None = None
    enrich_people: Callable[[Reader, Sequence[Person]], list[Person]] | None = None
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
