"""What core subjects and plugins add to storage: both declare events, tables and checks with these classes.

The entries are set once, before the database opens, by `chatnode/hooks/manager.py`; the engine knows no subject and no
plugin by name. An empty entry costs one check.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from chatnode.config import Limits
from chatnode.model.events import Event
from chatnode.model.people import Account, Person
from chatnode.model.records import record
from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.engine.row import Row
from chatnode.storage.engine.transaction import Follower, Transaction


@record(frozen=True)
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


@record(frozen=True)
class Table:
    """A plugin's table that refers to users or messages. The node uses this declaration even while the plugin is
    disabled.

    `people` are the columns with keys of users: a row is deleted when one of them is erased. `message` is the column
    with the key of a message: a row is deleted with that message. `export` is SQL for the table's part of a user's
    export: it takes `:person`, `:after` and `:limit` and returns rows in the order of their first column, an integer
    above `:after`, which is not shown. The table must have a rowid, and an index for each of these columns.
    """

    name: str
    people: tuple[str, ...] = ()
    message: str | None = None
    export: str | None = None


@record(frozen=True, kw_only=True)
class CoreTable(Table):
    """A table of the core. Its subject declares what the node does with it, or why it does not; for plugins' tables the
    node decides that itself.

    `lines` is the type of its lines in the node's export, and the SQL that selects them, in the order in which the rows
    were created; `left_out` is the reason why it has none. Give exactly one of the two. In the SQL of exports `…_json`
    names a column that holds JSON, `…_flag` one that is true or false, `…_at`, `at` and `until` times in milliseconds.

    `entry` is the name of the entries that `export` selects, if it differs from the table's. `finish` adds to an entry
    what SQL cannot. `in_spans`: the table has no index by person; its SQL also takes `:until`, and runs for one range
    of keys after another.

    `at_once` erases a user's rows in the transaction that empties the profile, and returns their number; `in_steps` is
    SQL that deletes up to `:most` rows of `:person`, for a table without a rowid. `removed` is SQL that deletes the
    rows about the messages of `:conversation` up to `:upto`; it runs before those messages are deleted.
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
            raise ValueError(f"the table {self.name} needs either lines or left_out")


def rows_of(table: str, *columns: str) -> Callable[[Transaction, Account], int]:
    """For `at_once`: delete the rows in which one of the columns refers to the user."""

    def erase(tx: Transaction, account: Account) -> int:
        return sum(
            tx.execute(f"DELETE FROM {table} WHERE {column} = ?", (account.key,)).rowcount  # noqa: S608 -- constants
            for column in columns
        )

    return erase


Problems = Callable[[Reader], list[str]]
"""A check; returns a line for each problem."""
MOST_PROBLEMS = 20
"""Maximum number of problems per check, so that a badly broken table does not flood the terminal."""


def rows_wrong(sql: str, problem: str) -> Problems:
    """A check whose query returns a row for each problem; `problem` formats it."""

    def run(reader: Reader) -> list[str]:
        return [problem.format(*row) for row in reader.execute(sql).fetchmany(MOST_PROBLEMS)]

    return run


@record(frozen=True)
class Derived:
    """Data that the tables hold twice. `wrong` selects a row for each disagreement, which `problem` formats; the
    statements of `repair` rebuild the copy."""

    wrong: str
    problem: str
    repair: tuple[str, ...]


@record
class Additions:
    """Everything that subjects and plugins add. Functions are called in a transaction or a reader's snapshot."""

    followers: Mapping[str, Follower] = attrs.field(factory=dict[str, Follower])
    """By event name; events that no plugin follows cost nothing."""
    enrich_messages: (
        Callable[[Querying, Sequence[str], Account | None], Sequence[tuple[str, Mapping[str, Any]]]] | None
    ) = None
    """Takes the messages' ids, and the user if only one reads them; gives each plugin's name and what it knows."""
    enrich_people: Callable[[Reader, Sequence[Person], Account | None], list[Person]] | None = None
    events: Mapping[str, EventKind] = attrs.field(factory=dict[str, EventKind])
    tables: Sequence[Table] = ()
    checks: Mapping[str, Problems] = attrs.field(factory=dict[str, Problems])
    derived: Mapping[str, Derived] = attrs.field(factory=dict[str, Derived])
    """What the core checks and repairs, in this order."""
    plugin_checks: Mapping[str, Problems] = attrs.field(factory=dict[str, Problems])
    permissions: Mapping[str, str] = attrs.field(factory=dict[str, str])
    """Plugins' permissions, with their meanings."""
    work_ended: Mapping[str, Callable[[Transaction, int], None]] = attrs.field(
        factory=dict[str, Callable[[Transaction, int], None]]
    )
    """By kind of work, what its plugin does in the transaction in which one ends, by the work's key."""
    limits: Limits = attrs.field(factory=Limits)
    """The node's limits, for plugins' work in transactions, where no command checks them."""


_NONE = Additions()


def additions(source: Querying) -> Additions:
    """The declarations for a node's connection or transaction; empty for any other connection."""
    found = source.connection.additions
    return found if isinstance(found, Additions) else _NONE
