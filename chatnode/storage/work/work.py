"""The works that are stored, and how their status changes.

    waiting → running → done, failed, or waiting again after a failure
    waiting, running → paused → waiting
    all but done → cancelled; failed → waiting, when it is resumed

Every change of status is an event for the owner, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import orjson

from chatnode.errors import Refusal, WrongValue
from chatnode.model.events import WorkChanged
from chatnode.model.ids import new_id
from chatnode.model.people import PersonRef
from chatnode.model.records import record
from chatnode.model.times import rfc3339, rfc3339_or_none
from chatnode.model.work import ENDED, WorkInfo, WorkStatus
from chatnode.storage.engine.additions import CoreTable, EventKind, additions
from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.engine.row import Row
from chatnode.storage.engine.transaction import Transaction

MOST_WAIT_SECONDS = 3_600.0
"""The longest wait between two attempts. A later `not_before` that nobody asked for is from before the clock was set
back."""
MOST_JSON_BYTES = 1 << 20
"""Maximum size of arguments, state and result, each as JSON."""


@record(frozen=True)
class NewWork:
    """What a plugin starts. Times are in milliseconds."""

    kind: str
    title: str
    arguments: Mapping[str, Any]
    owner: int | None = None
    resource: str | None = None
    not_before: int | None = None


@record
class StoredWork:
    """A work as the runner needs it; times are in milliseconds."""

    key: int
    id: str
    kind: str
    title: str
    owner: int | None
    resource: str | None
    arguments: dict[str, Any]
    state: dict[str, Any] | None
    status: WorkStatus
    done: int
    total: int | None
    failures: int


@record(frozen=True)
class EndedWork:
    """A work item that has just ended: it is done, has failed for good, or was cancelled.

    `owner` is the key of its owner, or None; `state` is the last checkpoint, `result` what a finished item returned.
    """

    id: str
    status: WorkStatus
    owner: int | None
    arguments: Mapping[str, Any]
    state: Mapping[str, Any] | None
    result: Mapping[str, Any] | None


_STORED = "key, id, kind, title, owner, resource, arguments, state, status, done, total, failures"
_INFO = (
    "SELECT w.id, w.kind, w.title, w.status, w.done, w.created_at, w.total, w.rate, p.id, p.handle, w.failures, "
    "w.not_before, w.started_at, w.ended_at, w.error, w.result, w.key FROM work w LEFT JOIN people p ON p.key = w.owner"
)


def as_json(what: str, value: object) -> str:
    """Raises `ValueError` for what is not JSON, or is too long."""
    if not isinstance(value, Mapping):
        raise WrongValue(f"the {what} of a work item must be a mapping of JSON values")
    try:
        text = orjson.dumps(dict(value))  # pyright: ignore[reportUnknownArgumentType]
    except TypeError as error:
        raise WrongValue(f"the {what} of a work item must be JSON: {error}") from None
    if len(text) > MOST_JSON_BYTES:
        raise WrongValue(f"the {what} of a work item has {len(text)} bytes as JSON; the maximum is {MOST_JSON_BYTES}")
    return text.decode()


def start(tx: Transaction, new: NewWork) -> str:
    """Store a new work, which waits; returns its id. Raises `ValueError` for arguments that are not JSON."""
    id, arguments = new_id(), as_json("arguments", new.arguments)
    (key,) = tx.execute(
        "INSERT INTO work (id, kind, title, owner, resource, arguments, status, not_before, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?, 'waiting', ?, ?) RETURNING key",
        (id, new.kind, new.title, new.owner, new.resource, arguments, new.not_before or tx.now, tx.now),
    ).fetchone()
    changed(tx, key, actor=new.owner)
    return id


def change_work_arguments(tx: Transaction, kind: str, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> None:
    """Change the arguments of the work items of a kind, `<plugin>.<name>`, that may still run: for example to remove
    what they say of a user who is erased.

    `change` gets the arguments of one item and returns those that it is to have. An item that is running reads them
    when it runs again. Raises `ValueError` for arguments that are not JSON.
    """
    rows = tx.execute(
        "SELECT key, arguments FROM work WHERE kind = ? AND status IN ('waiting', 'running', 'paused', 'failed')",
        (kind,),
    ).fetchall()
    for key, before in rows:
        after = as_json("arguments", change(orjson.loads(before)))
        if after != before:
            tx.execute("UPDATE work SET arguments = ? WHERE key = ?", (after, key))


def changed(tx: Transaction, key: int, actor: int | None = None) -> None:
    """Record that a work has another status."""
    found = tx.execute(f"{_INFO} WHERE w.key = ?", (key,)).fetchone()
    (owner,) = tx.execute("SELECT owner FROM work WHERE key = ?", (key,)).fetchone()
    people = (owner,) if owner is not None else ()
    tx.record(WorkChanged(_info(found)), people=people, subject=key, actor=actor)


# ---- running


def next_due(
    reader: Querying, kinds: Collection[str], busy: Collection[str], without: Collection[int], now: int
) -> StoredWork | None:
    """The work that has waited longest of those that may start now: of these kinds, of no `busy` resource, and none of
    those `without` (keys).
    """
    if not kinds:
        return None
    terms = [f"kind IN ({_places(kinds)})"]
    terms += [f"key NOT IN ({_places(without)})"] if without else []
    terms += [f"(resource IS NULL OR resource NOT IN ({_places(busy)}))"] if busy else []
    row = reader.execute(
        f"SELECT {_STORED} FROM work WHERE status = 'waiting' AND not_before <= ? "  # noqa: S608
        f"AND {' AND '.join(terms)} ORDER BY not_before, key LIMIT 1",
        (now, *kinds, *without, *busy),
    ).fetchone()
    return _stored(row) if row is not None else None


def _places(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))


def bring_forward(tx: Transaction) -> None:
    """What waits for a time from before the clock was set back is due now; what was scheduled keeps its time."""
    tx.execute(
        "UPDATE work SET not_before = ? WHERE status = 'waiting' AND not_before > ? "
        "AND (started_at IS NOT NULL OR not_before = created_at)",
        (tx.now, tx.now + int(MOST_WAIT_SECONDS * 1000)),
    )


def any_running(reader: Querying) -> bool:
    """Whether a work is stored as running."""
    return reader.execute("SELECT key FROM work WHERE status = 'running' LIMIT 1").fetchone() is not None


def next_at(reader: Querying, after: int) -> int | None:
    """When the next work may start that may not yet."""
    (found,) = reader.execute(
        "SELECT min(not_before) FROM work WHERE status = 'waiting' AND not_before > ?", (after,)
    ).fetchone()
    return found


def begin(tx: Transaction, key: int) -> None:
    """A waiting work runs now."""
    tx.execute(
        "UPDATE work SET status = 'running', started_at = coalesce(started_at, ?), rate = NULL WHERE key = ?",
        (tx.now, key),
    )
    changed(tx, key)


def is_running(tx: Querying, key: int) -> bool:
    """Whether it still runs: it may have been paused, cancelled or erased meanwhile."""
    row = tx.execute("SELECT status FROM work WHERE key = ?", (key,)).fetchone()
    return row is not None and row[0] == "running"


def note(
    tx: Transaction, key: int, done: int, total: int | None, rate: float | None, state: Mapping[str, Any] | None
) -> None:
    """Store progress and, unless None, a checkpoint."""
    kept = as_json("state", state) if state is not None else None
    tx.execute(
        "UPDATE work SET done = ?, total = ?, rate = ?, state = coalesce(?, state), interrupted = 0 WHERE key = ?",
        (done, total, rate, kept, key),
    )


def finish(tx: Transaction, key: int, result: Mapping[str, Any] | None) -> bool:
    """A running work is done; returns whether it was running."""
    kept = as_json("result", result) if result is not None else None
    return _end(tx, key, "done", ("running",), None, kept)


def fail(tx: Transaction, key: int, error: str) -> bool:
    """A running work has failed for good."""
    tx.execute("UPDATE work SET failures = failures + 1 WHERE key = ? AND status = 'running'", (key,))
    return _end(tx, key, "failed", ("running",), error)


def try_again(tx: Transaction, key: int, error: str | None, not_before: int, *, failed: bool) -> bool:
    """A running work waits for another attempt; `failed` counts this one as a failure."""
    return _move(
        tx, key, "waiting", ("running",),
        "not_before = :at, error = :error, rate = NULL, failures = failures + :failed",
        {"at": not_before, "error": error, "failed": int(failed)},
    )  # fmt: skip


def interrupted(tx: Transaction, *, first: float, most: float) -> int:
    """The works that ran when the node died wait again; returns how many there are.

    From the third death in a row in which a work made no progress, it waits longer each time, from `first` to `most`
    seconds: it may have been the cause.
    """
    keys = tx.execute("SELECT key, interrupted FROM work WHERE status = 'running' ORDER BY key").fetchall()
    for key, before in keys:
        wait = min(most, first * 2.0 ** min(before - 2, 20)) if before >= 2 else 0.0
        _move(
            tx, key, "waiting", ("running",), "not_before = :at, interrupted = interrupted + 1, rate = NULL",
            {"at": tx.now + int(wait * 1000)},
        )  # fmt: skip
    return len(keys)


# ---- what owners and operators do


def pause(tx: Transaction, key: int, actor: int | None) -> bool:
    """Raises `Refusal("conflict")` for a work that has ended."""
    return _steer(tx, key, "paused", ("waiting", "running"), ("paused",), "rate = NULL", actor)


def resume(tx: Transaction, key: int, actor: int | None) -> bool:
    """Let a paused work go on, or try one again that has failed. Raises `Refusal("conflict")` for one that has ended
    otherwise."""
    changes = "not_before = :now, failures = 0, interrupted = 0, ended_at = NULL"
    return _steer(tx, key, "waiting", ("paused", "failed"), ("waiting", "running"), changes, actor)


def cancel(tx: Transaction, key: int, actor: int | None) -> bool:
    """End a work. Raises `Refusal("conflict")` for one that is done."""
    changes = "ended_at = :now, rate = NULL"
    return _steer(tx, key, "cancelled", ("waiting", "running", "paused", "failed"), ("cancelled",), changes, actor)


def _steer(
    tx: Transaction,
    key: int,
    to: WorkStatus,
    allowed: tuple[WorkStatus, ...],
    already: tuple[WorkStatus, ...],
    changes: str,
    actor: int | None,
) -> bool:
    """Returns whether the status changed; it may be what is asked for already."""
    if _move(tx, key, to, allowed, changes, {"now": tx.now}, actor):
        return True
    (status,) = tx.execute("SELECT status FROM work WHERE key = ?", (key,)).fetchone()
    if status not in already:
        raise Refusal("conflict", f"the work item is {status}", path="work")
    return False


def _end(
    tx: Transaction,
    key: int,
    to: WorkStatus,
    allowed: tuple[WorkStatus, ...],
    error: str | None,
    result: str | None = None,
) -> bool:
    changes = "ended_at = :now, error = :error, result = :result, rate = NULL"
    return _move(tx, key, to, allowed, changes, {"now": tx.now, "error": error, "result": result})


def _move(
    tx: Transaction,
    key: int,
    to: WorkStatus,
    allowed: tuple[WorkStatus, ...],
    changes: str,
    values: Mapping[str, Any],
    actor: int | None = None,
) -> bool:
    """Change the status of a work if it has one of those allowed; returns whether it had."""
    known = ", ".join(f"'{each}'" for each in allowed)
    moved = tx.execute(
        f"UPDATE work SET status = :to, {changes} WHERE key = :key AND status IN ({known})",  # noqa: S608
        {"to": to, "key": key, **values},
    )
    if moved.rowcount:
        changed(tx, key, actor)
        if to in ENDED:
            _tell_plugin(tx, key)
        if to in ("done", "cancelled"):
            # Nobody needs them any more, unlike those of one that has failed, and they may say something of people.
            tx.execute("UPDATE work SET arguments = '{}', state = NULL WHERE key = ?", (key,))
    return moved.rowcount > 0


def _tell_plugin(tx: Transaction, key: int) -> None:
    """If the plugin fails in that, what it did is undone, and the work has ended all the same."""
    told = additions(tx).work_ended
    if told:
        (kind,) = tx.execute("SELECT kind FROM work WHERE key = ?", (key,)).fetchone()
        if kind in told:
            tx.attempt(partial(told[kind], tx, key))


# ---- looking


def find(reader: Querying, id: str, owner: int | None, *, all: bool) -> int:
    """The key of a work that the owner may see; `all`: of all users. Raises `Refusal("not_found")`."""
    row = reader.execute("SELECT key, owner FROM work WHERE id = ?", (id,)).fetchone()
    if row is None or not (all or (owner is not None and row[1] == owner)):
        raise Refusal("not_found", "no such work item", path="work")
    return row[0]


def ended(reader: Querying, key: int) -> EndedWork:
    """A work as its plugin is told of its end."""
    id, status, owner, arguments, state, result = reader.execute(
        "SELECT id, status, owner, arguments, state, result FROM work WHERE key = ?", (key,)
    ).fetchone()
    return EndedWork(
        id, status, owner, orjson.loads(arguments),
        orjson.loads(state) if state is not None else None,
        orjson.loads(result) if result is not None else None,
    )  # fmt: skip


def info(reader: Querying, key: int) -> WorkInfo:
    """A work as clients see it; it must exist."""
    return _info(reader.execute(f"{_INFO} WHERE w.key = ?", (key,)).fetchone())


def page(
    reader: Reader, owner: int | None, status: str | None, kind: str | None, before: int | None, limit: int
) -> tuple[list[WorkInfo], int | None]:
    """Newest first, of an owner or, for None, of all; and what to give as `before` for the next page."""
    terms = ["w.key < :before"]
    terms += ["w.owner = :owner"] if owner is not None else []
    terms += ["w.status = :status"] if status is not None else []
    terms += ["w.kind = :kind"] if kind is not None else []
    rows = reader.execute(
        f"{_INFO} WHERE {' AND '.join(terms)} ORDER BY w.key DESC LIMIT :limit",
        {
            "before": 2**62 if before is None else before, "owner": owner, "status": status, "kind": kind,
            "limit": limit + 1,
        },
    ).fetchall()  # fmt: skip
    return [_info(row) for row in rows[:limit]], rows[limit - 1][-1] if len(rows) > limit else None


def counts(reader: Querying) -> dict[str, int]:
    """How many works have each status that any has."""
    return dict(reader.execute("SELECT status, count(*) FROM work GROUP BY status").fetchall())


def failed_of_nobody(reader: Querying) -> list[str]:
    """The kinds of which a work without an owner has failed."""
    rows = reader.execute("SELECT DISTINCT kind FROM work WHERE status = 'failed' AND owner IS NULL ORDER BY kind")
    return [kind for (kind,) in rows]


def remove_ended(tx: Transaction, before: int, most: int) -> int:
    """Delete works that ended before this time; returns how many."""
    return tx.execute(
        "DELETE FROM work WHERE key IN (SELECT key FROM work WHERE ended_at < ? LIMIT ?)", (before, most)
    ).rowcount


def _stored(row: tuple[Any, ...]) -> StoredWork:
    found = StoredWork(*row)
    found.arguments = orjson.loads(row[6])
    found.state = orjson.loads(row[7]) if row[7] is not None else None
    return found


def _info(row: tuple[Any, ...]) -> WorkInfo:
    (
        id, kind, title, status, done, created, total, rate, owner, handle, failures, not_before, started, ended, error,
        result, _,
    ) = row  # fmt: skip
    return WorkInfo(
        id, kind, title, status, done, rfc3339(created), total, rate,
        PersonRef(owner, handle) if owner is not None else None,
        failures,
        rfc3339(not_before) if status == "waiting" and not_before > created else None,
        rfc3339_or_none(started),
        rfc3339_or_none(ended),
        error,
        orjson.loads(result) if result is not None else None,
    )  # fmt: skip


# ---- what it adds to the node


def _made_again(reader: Querying, row: Row) -> WorkChanged | None:
    found = reader.execute(f"{_INFO} WHERE w.key = ?", (row.subject,)).fetchone()
    return WorkChanged(_info(found)) if found is not None else None


EVENTS = (EventKind(WorkChanged, _made_again),)
TABLES = (
    CoreTable(
        "work",
        people=("owner",),
        left_out="what plugins do here; means nothing elsewhere",
        export=(
            "SELECT key, id AS work, kind, title, arguments AS arguments_json, status, done, total, created_at, "
            "started_at, ended_at, result AS result_json, error FROM work WHERE owner = :person AND key > :after "
            "ORDER BY key LIMIT :limit"
        ),
    ),
)
