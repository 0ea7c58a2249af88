"""Consumers of plugins: their positions in the log, and the rows they set aside."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from chatnode.errors import Refusal
from chatnode.model.plugins import SetAside
from chatnode.model.records import record
from chatnode.model.times import rfc3339
from chatnode.storage.engine.additions import CoreTable
from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.engine.dialect import BY_ITS_KEY
from chatnode.storage.engine.row import Row
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.log import log

SCAN_GIDS = 20_000
"""Maximum number of rows one read looks at, which takes some milliseconds, however rare the kinds are."""

Name = tuple[str, str]
"""A plugin's and its consumer's."""


class Moved(Exception):
    """The cursor was moved since the rows were read."""


@record(frozen=True)
class RowBatch:
    """The next rows of some kinds. Up to `reached` there are no others; `head` is the newest gid there is."""

    rows: list[Row]
    reached: int
    head: int


@record
class ConsumerPosition:
    """How far a consumer is, and how many rows it has set aside."""

    cursor: int
    set_aside: int


def places(reader: Querying) -> dict[Name, ConsumerPosition]:
    """Of every consumer that was ever seen."""
    found = {
        (plugin, name): ConsumerPosition(cursor, 0)
        for plugin, name, cursor in reader.execute("SELECT plugin, name, cursor FROM consumers")
    }
    for plugin, name, count in reader.execute("SELECT plugin, consumer, count(*) FROM set_aside GROUP BY 1, 2"):
        if (plugin, name) in found:
            found[plugin, name].set_aside = count
    return found


def begin(tx: Transaction, consumers: Mapping[Name, bool], head: int | None = None) -> dict[Name, ConsumerPosition]:
    """The place of each consumer. One that is new begins with the first row if so it says, else after `head`, by
    default with the next one."""
    head = log.head(tx) if head is None else head
    tx.executemany(
        "INSERT INTO consumers (plugin, name, cursor) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [(plugin, name, 0 if from_start else head) for (plugin, name), from_start in consumers.items()],
    )
    found = places(tx)
    return {name: found[name] for name in consumers}


_COLUMNS = "log.gid, log.conversation, coalesce(c.id, ''), log.kind, log.subject, log.actor, log.at"
_FROM = f"FROM log {BY_ITS_KEY} LEFT JOIN conversations c ON c.key = log.conversation"


def pending(
    reader: Querying, cursor: int, kinds: Collection[str] | None, most: int, where: str | None = None
) -> RowBatch:
    """Up to `most` rows after the cursor, of these kinds or of all, that meet a condition on `log`, if there is
    one."""
    head = log.head(reader)
    first = reader.execute("SELECT min(gid) FROM log WHERE gid > ?", (cursor,)).fetchone()[0]
    if first is None:
        return RowBatch([], cursor, head)
    upto = min(first - 1 + SCAN_GIDS, head)
    wanted = sorted(kinds) if kinds is not None else []
    term = f"AND log.kind IN ({', '.join('?' * len(wanted))}) " if kinds is not None else ""
    if where is not None:
        term += f"AND ({where}) "
    rows = [
        Row(*row)
        for row in reader.execute(
            f"SELECT {_COLUMNS} {_FROM} WHERE log.gid > ? AND log.gid <= ? {term}ORDER BY log.gid LIMIT ?",
            (cursor, upto, *wanted, most),
        )
    ]
    return RowBatch(rows, rows[-1].gid if len(rows) == most else upto, head)


def explain_condition(where: str) -> str:
    """The query of `pending` with a condition, without its parameters."""
    return f"SELECT {_COLUMNS} {_FROM} WHERE ({where}) ORDER BY log.gid"


def row_at(reader: Reader, gid: int) -> Row | None:
    """The row of the log; None if it was removed, as by retention."""
    row = reader.execute(f"SELECT {_COLUMNS} {_FROM} WHERE log.gid = ?", (gid,)).fetchone()
    return Row(*row) if row is not None else None


def move(tx: Transaction, consumer: Name, expected: int, to: int) -> None:
    """Raises `Moved` when the cursor is not where it is expected: what was done with the rows is undone then."""
    moved = tx.execute(
        "UPDATE consumers SET cursor = ? WHERE plugin = ? AND name = ? AND cursor = ?", (to, *consumer, expected)
    )
    if moved.rowcount != 1:
        raise Moved


def replay(tx: Transaction, consumer: Name, gid: int) -> int:
    """Set the cursor, so that the consumer goes on with what comes after this gid; gives where it was.

    Raises `Refusal` when there is no such consumer, or nothing that far.
    """
    found = tx.execute("SELECT cursor FROM consumers WHERE plugin = ? AND name = ?", consumer).fetchone()
    if found is None:
        raise Refusal("not_found", f"the plugin {consumer[0]} has no consumer {consumer[1]}", path="consumer")
    head = log.head(tx)
    if gid > head:
        raise Refusal("invalid", f"is {gid}, and the newest row of the log is {head}", path="gid")
    tx.execute("UPDATE consumers SET cursor = ? WHERE plugin = ? AND name = ?", (gid, *consumer))
    return found[0]


# ---- rows that were set aside


def set_aside(tx: Transaction, consumer: Name, row: Row, tries: int, error: str) -> bool:
    """Record that the consumer set the row aside after this many more tries; returns whether it is new."""
    noted = tx.execute(
        "INSERT INTO set_aside (plugin, consumer, gid, kind, tries, error, at) VALUES (?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (plugin, consumer, gid) "
        "DO UPDATE SET tries = set_aside.tries + excluded.tries, error = excluded.error, at = excluded.at "
        "RETURNING tries",
        (*consumer, row.gid, row.kind, tries, error, tx.now),
    ).fetchone()
    return noted[0] == tries


def failed_again(tx: Transaction, entry: int, error: str) -> None:
    """Note one more try of a row that is set aside; nothing when it is off the list."""
    tx.execute("UPDATE set_aside SET tries = tries + 1, error = ?, at = ? WHERE key = ?", (error, tx.now, entry))


def dismiss(tx: Transaction, entry: int) -> SetAside:
    """Take a row off the list; raises `Refusal("not_found")`."""
    found = find_set_aside(tx, entry)
    tx.execute("DELETE FROM set_aside WHERE key = ?", (entry,))
    return found


def take_back(tx: Transaction, consumer: Name, above: int, upto: int) -> int:
    """What was set aside between two gids has succeeded now; gives how many rows it was."""
    return tx.execute(
        "DELETE FROM set_aside WHERE plugin = ? AND consumer = ? AND gid > ? AND gid <= ?", (*consumer, above, upto)
    ).rowcount


_ENTRY = "SELECT key, plugin, consumer, gid, kind, tries, error, at FROM set_aside"


def list_set_aside(
    reader: Reader, plugin: str | None, consumer: str | None, before: int | None, limit: int
) -> list[SetAside]:
    """Newest first; `before` is the number of the last entry of the page before."""
    rows = reader.execute(
        f"{_ENTRY} WHERE key < :before AND plugin = coalesce(:plugin, plugin) "
        "AND consumer = coalesce(:consumer, consumer) ORDER BY key DESC LIMIT :limit",
        {"before": 2**62 if before is None else before, "plugin": plugin, "consumer": consumer, "limit": limit},
    )
    return [_entry(row) for row in rows]


def find_set_aside(reader: Querying, entry: int) -> SetAside:
    """Raises `Refusal("not_found")`."""
    row = reader.execute(f"{_ENTRY} WHERE key = ?", (entry,)).fetchone()
    if row is None:
        raise Refusal("not_found", f"no row is set aside under the number {entry}", path="entry")
    return _entry(row)


def _entry(row: tuple[int, str, str, int, str, int, str, int]) -> SetAside:
    *values, at = row
    return SetAside(*values, rfc3339(at))  # type: ignore[arg-type]


TABLES = (
    CoreTable("consumers", left_out="places in the log"),
    CoreTable("set_aside", left_out="rows of the log"),
)
