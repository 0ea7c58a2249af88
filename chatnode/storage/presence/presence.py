"""Users' last activity, status and presence history, and who may see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from chatnode.model.people import Account, PersonRef
from chatnode.model.presence import Change, HistoryEntry, PresenceStatus
from chatnode.model.records import record
from chatnode.model.times import DAY_MS, rfc3339
from chatnode.storage.conversations import conversations
from chatnode.storage.engine.additions import CoreTable, Derived
from chatnode.storage.engine.arrays import json_array
from chatnode.storage.engine.changing import change
from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.engine.dialect import each_of, greatest
from chatnode.storage.engine.transaction import Transaction


@record(frozen=True)
class Mark:
    """What is stored about a user besides their last activity. A higher `version` is a later state."""

    person: PersonRef
    status: PresenceStatus
    hidden: bool
    version: int


class PresenceAudience(NamedTuple):
    """Where a user's presence is visible: conversations by key, except users they blocked, by id."""

    conversations: Iterable[int]
    blocked: frozenset[str] | set[str]


class Changed(NamedTuple):
    """A user came online or went offline."""

    person: int
    at: int
    change: Change


class PresenceRow(NamedTuple):
    """A row of `find_presence`; `active_at` may lag behind memory."""

    key: int
    person: PersonRef
    active_at: int | None
    status: PresenceStatus


_MARK = (
    "SELECT s.person, p.id, p.handle, s.text, s.emoji, s.until, s.hidden, s.version "
    "FROM presence s JOIN people p ON p.key = s.person "
)


def marked(reader: Reader) -> dict[int, Mark]:
    """All users who have a status or are hidden, by key."""
    rows = reader.execute(_MARK + "WHERE s.text IS NOT NULL OR s.emoji IS NOT NULL OR s.hidden = 1")
    return dict(map(_mark, rows))


def _mark(row: tuple[int, str, str, str | None, str | None, int | None, int, int]) -> tuple[int, Mark]:
    """A row of `_MARK`: the user's key, and what is stored."""
    key, id, handle, text, emoji, until, hidden, version = row
    return key, Mark(PersonRef(id, handle), PresenceStatus(text, emoji, until), bool(hidden), version)


def circle(reader: Querying, person: int) -> PresenceAudience:
    return PresenceAudience(conversations.of_person(reader, person), blocked_by(reader, person))


def blocked_by(reader: Querying, person: int) -> set[str]:
    """Ids of those who shall see nothing of `person`."""
    rows = reader.execute("SELECT p.id FROM blocks b JOIN people p ON p.key = b.blocked WHERE b.person = ?", (person,))
    return {id for (id,) in rows}


# ---- changing


def set_status(
    tx: Transaction, account: Account, status: PresenceStatus, *, keep_history: bool
) -> tuple[Mark, PresenceAudience]:
    """Returns what is stored now, and its audience. History has the status, not its duration."""
    _ensure_row(tx, account)
    me = {"person": account.key}
    tx.execute("UPDATE presence SET active_at = ? WHERE person = ?", (tx.now, account.key))
    said = change(tx, "presence", me, {"text": status.text, "emoji": status.emoji})
    if change(tx, "presence", me, {"until": status.until}) or said:
        tx.execute("UPDATE presence SET version = version + 1 WHERE person = ?", (account.key,))
    if keep_history and said:
        tx.execute(
            "INSERT INTO presence_history (person, at, change, text, emoji) VALUES (?, ?, 'status', ?, ?)",
            (account.key, tx.now, status.text, status.emoji),
        )
    return _stored(tx, account)


def set_hidden(tx: Transaction, account: Account, hidden: bool) -> tuple[Mark, PresenceAudience]:
    """Returns what is stored now, and its audience."""
    _ensure_row(tx, account)
    if change(tx, "presence", {"person": account.key}, {"hidden": hidden}):
        tx.execute("UPDATE presence SET version = version + 1 WHERE person = ?", (account.key,))
    return _stored(tx, account)


def _ensure_row(tx: Transaction, account: Account) -> None:
    tx.execute("INSERT INTO presence (person) VALUES (?) ON CONFLICT DO NOTHING", (account.key,))


def _stored(tx: Transaction, account: Account) -> tuple[Mark, PresenceAudience]:
    row = tx.execute(_MARK + "WHERE s.person = ?", (account.key,)).fetchone()
    key, mark = _mark(row)
    return mark, circle(tx, key)


_LATER = greatest("coalesce(presence.active_at, 0)", "excluded.active_at")


def write_batch(tx: Transaction, active: Mapping[int, int], changes: Iterable[Changed], history_days: int) -> None:
    """Store when people were last active, and changes if they are kept; remove what has ended.

    Of people who were erased since, nothing is written.
    """
    tx.executemany(
        "INSERT INTO presence (person, active_at) SELECT key, ? FROM people WHERE key = ? AND erased_at IS NULL "  # noqa: S608
        f"ON CONFLICT (person) DO UPDATE SET active_at = {_LATER}",
        [(at, person) for person, at in active.items()],
    )
    tx.execute(
        "UPDATE presence SET text = NULL, emoji = NULL, until = NULL, version = version + 1 "
        "WHERE (text IS NOT NULL OR emoji IS NOT NULL OR hidden = 1) AND until <= ?",
        (tx.now,),
    )
    if history_days:
        tx.executemany(
            "INSERT INTO presence_history (person, at, change) "
            "SELECT key, ?, ? FROM people WHERE key = ? AND erased_at IS NULL",
            [(at, change, person) for person, at, change in changes],
        )
    tx.execute("DELETE FROM presence_history WHERE at <= ?", (tx.now - history_days * DAY_MS,))


def erase(tx: Transaction, account: Account) -> int:
    """Remove all stored presence of a user; returns the number of rows."""
    rows = tx.execute("DELETE FROM presence_history WHERE person = ?", (account.key,)).rowcount
    return rows + tx.execute("DELETE FROM presence WHERE person = ?", (account.key,)).rowcount


# ---- reading

# A user sees their own presence, and that of current fellow members who are not hidden, have not blocked the user, and
# still have an active account.
SEEN = (
    "(p.key = :me OR (p.erased_at IS NULL AND p.deactivated_at IS NULL AND coalesce(s.hidden, 0) = 0 "
    "AND NOT EXISTS (SELECT 1 FROM blocks b WHERE b.person = p.key AND b.blocked = :me) "
    "AND EXISTS (SELECT 1 FROM members other JOIN members mine ON mine.conversation = other.conversation "
    "AND mine.person = :me AND mine.left_gid IS NULL WHERE other.person = p.key AND other.left_gid IS NULL)))"
)
"""SQL: whether the user with the key `:me` may see the presence of `people p LEFT JOIN presence s ON s.person =
p.key`."""
_FOUND = "SELECT p.key, p.id, p.handle, s.active_at, s.text, s.emoji, s.until "


def seen(reader: Reader, me: int, who: list[str]) -> list[PresenceRow]:
    """Those of `who` (handles or ids) whose presence the user `me` may see, in order of handles; in one query."""
    rows = reader.execute(
        _FOUND + "FROM people p LEFT JOIN presence s ON s.person = p.key WHERE p.key IN ("  # noqa: S608 -- constants
        f"SELECT key FROM people WHERE id IN {each_of(':who')} "
        f"UNION SELECT key FROM people WHERE handle IN {each_of(':who')}) "
        "AND " + SEEN + " ORDER BY p.handle",
        {"me": me, "who": json_array(each.lower() for each in who)},
    )
    return [_found(row) for row in rows]


def with_status(reader: Reader, me: int, people: list[int]) -> list[PresenceRow]:
    """Those of `people` (keys) that have a status visible to the user `me`."""
    rows = reader.execute(
        _FOUND + "FROM people p JOIN presence s ON s.person = p.key "
        f"WHERE p.key IN {each_of(':people')} AND p.key <> :me "
        "AND (s.text IS NOT NULL OR s.emoji IS NOT NULL) AND " + SEEN,
        {"me": me, "people": json_array(people)},
    )
    return [_found(row) for row in rows]


def _found(row: tuple[int, str, str, int | None, str | None, str | None, int | None]) -> PresenceRow:
    key, id, handle, active_at, text, emoji, until = row
    return PresenceRow(key, PersonRef(id, handle), active_at, PresenceStatus(text, emoji, until))


def history(reader: Reader, person: int, before: int | None, limit: int) -> list[HistoryEntry]:
    """Newest first."""
    rows = reader.execute(
        "SELECT key, at, change, text, emoji FROM presence_history WHERE person = ? AND key < ? "
        "ORDER BY key DESC LIMIT ?",
        (person, before if before is not None else 2**62, limit),
    )
    return [HistoryEntry(key, rfc3339(at), change, text, emoji) for key, at, change, text, emoji in rows]


TABLES = (
    CoreTable(
        "presence",
        lines=(
            "presence",
            "SELECT p.id AS person, s.active_at, s.text, s.emoji, s.until, s.hidden FROM presence s JOIN "
            "people p ON p.key = s.person ORDER BY s.person",
        ),
        export="SELECT person, active_at, text, emoji, until, hidden AS hidden_flag FROM presence WHERE person = "
        ":person AND person > :after LIMIT :limit",
        at_once=erase,
    ),
    CoreTable(
        "presence_history",
        lines=(
            "presence_change",
            "SELECT p.id AS person, h.at, h.change, h.text, h.emoji FROM presence_history h JOIN people p ON "
            "p.key = h.person ORDER BY h.key",
        ),
        export="SELECT key, at, change, text, emoji FROM presence_history WHERE person = :person AND key > :after "
        "ORDER BY key LIMIT :limit",
    ),
)

_ERASED = "(SELECT key FROM people WHERE erased_at IS NOT NULL)"
DERIVED = {
    "presence": Derived(
        f"SELECT p.handle FROM people p WHERE p.key IN {_ERASED} "  # noqa: S608 -- a constant
        "AND p.key IN (SELECT person FROM presence UNION SELECT person FROM presence_history)",
        "{0} was erased, but their last activity or status is still stored",
        (
            f"DELETE FROM presence WHERE person IN {_ERASED}",  # noqa: S608
            f"DELETE FROM presence_history WHERE person IN {_ERASED}",  # noqa: S608
        ),
    ),
}  # fmt: skip
