"""Events that failed, ranges to send again, and the newest attempts, in the database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from chatnode.api import DAY_MS, Querying, Transaction, record
from chatnode_webhooks.outgoing.attempts import Attempt
from chatnode_webhooks.outgoing.schedule import next_due

KEPT_ATTEMPTS = 1_000
"""Of each endpoint."""
TRIM_EVERY = 100

DeliveryState = Literal["pending", "dead"]


@record(frozen=True)
class FailedEvent:
    """A row of `webhooks_deliveries`."""

    key: int
    gid: int
    kind: str
    state: DeliveryState
    attempts: int
    due_at: int
    tried_at: int | None
    status: int | None
    error: str | None
    answer: str | None


_SELECT = (
    "SELECT key, gid, kind, state, attempts, due_at, tried_at, status, error, answer FROM webhooks_deliveries "
    "WHERE endpoint = :endpoint"
)


FAR_MS = DAY_MS
"""Nothing is due later than this: such a time is from before the clock was set back."""


def due(reader: Querying, endpoint: int, now: int, limit: int) -> list[FailedEvent]:
    """What is to be tried again, the longest due first."""
    rows = reader.execute(
        f"{_SELECT} AND state = 'pending' AND (due_at <= :now OR due_at > :far) ORDER BY due_at LIMIT :limit",
        {"endpoint": endpoint, "now": now, "far": now + FAR_MS, "limit": limit},
    )
    return [FailedEvent(*row) for row in rows]


def to_probe(reader: Querying, endpoint: int) -> FailedEvent | None:
    """What to try a stalled endpoint with: the oldest, and when that has failed again, the next."""
    row = reader.execute(
        f"{_SELECT} AND state = 'pending' ORDER BY coalesce(tried_at, 0), key LIMIT 1", {"endpoint": endpoint}
    ).fetchone()
    return FailedEvent(*row) if row is not None else None


def next_due_at(reader: Querying, endpoint: int) -> int | None:
    """When the next one is due."""
    return reader.execute(
        "SELECT min(due_at) FROM webhooks_deliveries WHERE endpoint = ? AND state = 'pending'", (endpoint,)
    ).fetchone()[0]


def outstanding(reader: Querying, endpoint: int) -> int:
    """How many have failed and will be tried again."""
    return reader.execute(
        "SELECT count(*) FROM webhooks_deliveries WHERE endpoint = ? AND state = 'pending' AND attempts > 0",
        (endpoint,),
    ).fetchone()[0]


def counts(reader: Querying, endpoint: int) -> tuple[int, int]:
    """How many are pending, and dead."""
    rows = reader.execute(
        "SELECT state, count(*) FROM webhooks_deliveries WHERE endpoint = ? GROUP BY state", (endpoint,)
    )
    found: dict[str, int] = dict(rows.fetchall())
    return found.get("pending", 0), found.get("dead", 0)


def page(reader: Querying, endpoint: int, state: DeliveryState | None, before: int, limit: int) -> list[FailedEvent]:
    """Newest first."""
    among = "" if state is None else "AND state = :state "
    rows = reader.execute(
        f"{_SELECT} AND key < :before {among}ORDER BY key DESC LIMIT :limit",
        {"endpoint": endpoint, "before": before, "state": state, "limit": limit},
    )
    return [FailedEvent(*row) for row in rows]


# ---- what changes them


def delivered(tx: Transaction, endpoint: int, tried: Iterable[tuple[int, int | None]]) -> None:
    """Events have succeeded, or there is nothing left to send of them: each is given with the time when it was due, if
    it had a row. An event that was queued again since then is sent once more: the replay may have been asked for
    because of this very success.
    """
    tx.executemany(
        "DELETE FROM webhooks_deliveries WHERE endpoint = ? AND gid = ? AND (attempts > 0 OR due_at = ?)",
        [(endpoint, gid, due_at) for gid, due_at in tried],
    )


def failed(tx: Transaction, endpoint: int, gid: int, kind: str, attempt: Attempt, *, ages: bool) -> DeliveryState:
    """An event failed. Unless it `ages`, the attempt does not bring it nearer to being given up."""
    row = tx.execute(
        "SELECT attempts FROM webhooks_deliveries WHERE endpoint = ? AND gid = ? AND state = 'pending'",
        (endpoint, gid),
    ).fetchone()
    before = row[0] if row is not None else 0  # one that was given up, and is replayed, begins from scratch
    attempts = before + int(ages or before == 0)
    due_at = next_due(attempt.at, attempts, attempt.wait)
    state: DeliveryState = "dead" if due_at is None else "pending"
    answer = attempt.answer if state == "pending" else None
    tx.execute(
        "INSERT INTO webhooks_deliveries (endpoint, gid, kind, state, attempts, due_at, tried_at, status, error, "
        "answer) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (endpoint, gid) DO UPDATE SET state = excluded.state, "
        "attempts = excluded.attempts, due_at = excluded.due_at, tried_at = excluded.tried_at, "
        "status = excluded.status, error = excluded.error, answer = excluded.answer",
        (
            endpoint, gid, kind, state, attempts, due_at or attempt.at, attempt.at, attempt.status, attempt.error,
            answer,
        ),
    )  # fmt: skip
    return state


def queue(tx: Transaction, endpoint: int, gid: int, kind: str) -> None:
    """Send an event again, now, and as if it had never been tried."""
    tx.execute(
        "INSERT INTO webhooks_deliveries (endpoint, gid, kind, state, attempts, due_at) "
        "VALUES (?, ?, ?, 'pending', 0, ?) "
        "ON CONFLICT (endpoint, gid) DO UPDATE SET state = 'pending', attempts = 0, due_at = excluded.due_at",
        (endpoint, gid, kind, tx.now),
    )


def recover(tx: Transaction, endpoint: int) -> int:
    """Send all dead ones again; returns their number."""
    return tx.execute(
        "UPDATE webhooks_deliveries SET state = 'pending', attempts = 0, due_at = ? "
        "WHERE endpoint = ? AND state = 'dead'",
        (tx.now, endpoint),
    ).rowcount


def all_due(tx: Transaction, endpoint: int) -> None:
    """The receiver is back: what is pending need not wait."""
    tx.execute("UPDATE webhooks_deliveries SET due_at = ? WHERE endpoint = ? AND state = 'pending'", (tx.now, endpoint))


def clean(tx: Transaction, dead_before: int, answers_before: int, most: int) -> int:
    """Delete dead ones that are old, and answers, which may repeat what was sent. Returns the number of the former."""
    tx.execute(
        "UPDATE webhooks_deliveries SET answer = NULL WHERE tried_at < ? AND answer IS NOT NULL", (answers_before,)
    )
    return tx.execute(
        "DELETE FROM webhooks_deliveries WHERE key IN (SELECT key FROM webhooks_deliveries "
        "WHERE tried_at < ? AND state = 'dead' LIMIT ?)",
        (dead_before, most),
    ).rowcount


KEEPS_ANSWERS = "EXISTS (SELECT 1 FROM webhooks_deliveries WHERE answer IS NOT NULL)"


def forget_answers(tx: Transaction) -> None:
    """Drop the answers of all deliveries: any of them may repeat a text that is to be gone."""
    tx.execute("UPDATE webhooks_deliveries SET answer = NULL WHERE answer IS NOT NULL")


# ---- ranges to send again


@record(frozen=True)
class ReplayRange:
    """A row of `webhooks_replays`: what is above `cursor`, up to `upto`, is still to be sent."""

    key: int
    cursor: int
    upto: int


def next_replay(reader: Querying, endpoint: int) -> ReplayRange | None:
    """The one that was asked for first."""
    row = reader.execute(
        "SELECT key, cursor, upto FROM webhooks_replays WHERE endpoint = ? ORDER BY key LIMIT 1", (endpoint,)
    ).fetchone()
    return ReplayRange(*row) if row is not None else None


def start_replay(tx: Transaction, endpoint: int, after: int, upto: int) -> None:
    """Send what is above `after`, up to `upto`, again. The same range is not sent twice at a time."""
    tx.execute("DELETE FROM webhooks_replays WHERE endpoint = ? AND cursor >= ? AND upto <= ?", (endpoint, after, upto))
    tx.execute("INSERT INTO webhooks_replays (endpoint, cursor, upto) VALUES (?, ?, ?)", (endpoint, after, upto))


def end_replays_at(tx: Transaction, endpoint: int, cursor: int) -> None:
    """Replay nothing above `cursor`: that is still to be sent in any case."""
    tx.execute(
        "UPDATE webhooks_replays SET upto = :to WHERE endpoint = :of AND upto > :to", {"to": cursor, "of": endpoint}
    )
    tx.execute("DELETE FROM webhooks_replays WHERE endpoint = ? AND cursor >= upto", (endpoint,))


def advance_replay(tx: Transaction, replay: int, cursor: int) -> None:
    """Store how far a replay is; one that is at its end is deleted."""
    tx.execute(
        "UPDATE webhooks_replays SET cursor = :to WHERE key = :key AND cursor < :to", {"to": cursor, "key": replay}
    )
    tx.execute("DELETE FROM webhooks_replays WHERE key = ? AND cursor >= upto", (replay,))


# ---- the newest attempts


@record(frozen=True)
class StoredAttempt:
    """A row of `webhooks_attempts`."""

    key: int
    gid: int
    kind: str
    at: int
    ms: int
    status: int | None
    error: str | None


def record_attempts(tx: Transaction, endpoint: int, attempts: Iterable[tuple[int, str, Attempt]]) -> None:
    """Add attempts, each with its event's gid and kind."""
    tx.executemany(
        "INSERT INTO webhooks_attempts (endpoint, gid, kind, at, ms, status, error) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(endpoint, gid, kind, each.at, each.ms, each.status, each.error) for gid, kind, each in attempts],
    )


def trim_attempts(tx: Transaction, endpoint: int) -> None:
    """Keep the newest ones."""
    tx.execute(
        "DELETE FROM webhooks_attempts WHERE endpoint = :endpoint AND key <= (SELECT key FROM webhooks_attempts "
        "WHERE endpoint = :endpoint ORDER BY key DESC LIMIT 1 OFFSET :kept)",
        {"endpoint": endpoint, "kept": KEPT_ATTEMPTS},
    )


def attempts_page(reader: Querying, endpoint: int, before: int, limit: int) -> list[StoredAttempt]:
    """Newest first."""
    rows = reader.execute(
        "SELECT key, gid, kind, at, ms, status, error FROM webhooks_attempts WHERE endpoint = ? AND key < ? "
        "ORDER BY key DESC LIMIT ?",
        (endpoint, before, limit),
    )
    return [StoredAttempt(*row) for row in rows]
