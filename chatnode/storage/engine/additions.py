"""What core subjects and plugins add to storage: both declare events, tables and checks with these classes.

The entries are set once, before the database opens, by `chatnode/hooks/manager.py`; the engine knows no subject and no
plugin by name. An entry without anything in it costs one look at it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from chatnode.config import Limits
from chatnode.model.events import Event
from chatnode.model.messages import Message
from chatnode.model.people import Account, Person
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.row import Row
from chatnode.storage.engine.transaction import Follower, Transaction, connection_of


@attrs.frozen
class EventKind:
    """A durable event, and how to rebuild it from the tables for users who were away.

    `make` gets the row of the log and returns the event with the current state, or None if there is nothing left to
    send. Because it shows the current state, an event of a conversation is only for its current members.
    `of_message`: the row's `subject` is the seq of a message, and only users who may see that message get the event.
    `after_leaving`: the event describes what happened at the time, and users who have left since get it too. `show`
    replaces these rules: it gets the row, the rebuilt event and the user's key, and returns what the user gets, or
    None.
    """

    event: type[Event]
    make: Callable[[Reader, Row], Event | None]
    of_message: bool = False
    after_leaving: bool = False
    show: Callable[[Reader, int, Row, Event], Event | None] | None = None


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


@attrs.frozen(kw_only=True)
class CoreTable(Table):
    """A table of the core. A subject says what the node does by itself with the table of a plugin, or why it does not.

    `lines` is the type of its lines in the export of the node, and the SQL that gives them, in the order in which the
    rows were made; `left_out` says why it has none. Exactly one of the two is given. In the SQL of exports `…_json`
    names a column that holds JSON, `…_flag` one that is true or false, `…_at`, `at` and `until` times in milliseconds.

    `entry` names the entries that `export` gives, if not the table. `finish` adds to an entry what SQL cannot.
    `in_spans`: the table has no index by person; its SQL also takes `:until`, and is asked for one span of keys after
    another.

    `at_once` erases what the table holds of a person in the transaction that empties the profile, and returns how many
    rows that were; `in_steps` is SQL that deletes up to `:most` rows of `:person`, for a table without a rowid.
    `removed` is SQL that deletes the rows about the messages of `:conversation` up to `:upto`, before those messages.
    """

    lines: tuple[str, str] | None = None
    left_out: str | None = None
    entry: str | None = None
    finish: Callable[[Reader, dict[str, Any]], dict[str, Any]] | None = None
    in_spans: bool = False
    at_once: Callable[[Transaction, Account], int] | None = None
    in_steps: str | None = None
    removed: str | None = None

    def __attrs_post_init__(self) -> None:
        if (self.lines is None) == (self.left_out is None):
            raise ValueError(f"the table {self.name} is exported, or left out for a reason: give one of the two")


def rows_of(table: str, *columns: str) -> Callable[[Transaction, Account], int]:
    """For `at_once`: delete the rows of which one of the columns names the person."""

    def erase(tx: Transaction, account: Account) -> int:
        return sum(
            tx.execute(f"DELETE FROM {table} WHERE {column} = ?", (account.key,)).rowcount  # noqa: S608 -- constants
            for column in columns
        )

    return erase


Problems = Callable[[Reader], list[str]]
"""A check; returns a line for each problem."""
MOST_PROBLEMS = 20
"""Of each check, so that a badly broken table does not flood the terminal."""


def rows_wrong(sql: str, problem: str) -> Problems:
    """A check whose query returns a row for each problem; `problem` formats it."""

    def run(reader: Reader) -> list[str]:
        return [problem.format(*row) for row in reader.execute(sql).fetchmany(MOST_PROBLEMS)]

    return run


@attrs.frozen
class Derived:
    """Data that the tables hold twice. `wrong` returns a row for each disagreement, which `problem` formats; the
    statements of `repair` rebuild the copy."""

    wrong: str
    problem: str
    repair: tuple[str, ...]


@attrs.define
class Additions:
    """What is called, and what is looked up. All of it is called inside a transaction or a reader's snapshot."""

    followers: Mapping[str, Follower] = attrs.field(factory=dict[str, Follower])
    """By name of the events that plugins follow; other events cost nothing."""
    enrich_messages: Callable[[Reader | Transaction, Sequence[Message], Account | None], None] | None = None
    """Takes what is shown, and the user who alone reads it."""
    enrich_people: Callable[[Reader, Sequence[Person], Account | None], list[Person]] | None = None
    events: Mapping[str, EventKind] = attrs.field(factory=dict[str, EventKind])
    tables: Sequence[Table] = ()
    checks: Mapping[str, Problems] = attrs.field(factory=dict[str, Problems])
    derived: Mapping[str, Derived] = attrs.field(factory=dict[str, Derived])
    """What the core checks and repairs, in this order."""
    plugin_checks: Mapping[str, Problems] = attrs.field(factory=dict[str, Problems])
    permissions: Mapping[str, str] = attrs.field(factory=dict[str, str])
    """Plugins' own, with what each allows."""
    limits: Limits = attrs.field(factory=Limits)
    """The node's, for what plugins do in a transaction, where no command checks them."""


_NONE = Additions()


def additions(source: Reader | Transaction) -> Additions:
    """What is declared for a connection or transaction of a node; nothing for any other."""
    found = connection_of(source).additions
    return found if isinstance(found, Additions) else _NONE
