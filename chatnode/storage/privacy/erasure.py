"""Erasing a person: their profile and everything they said go, places in conversations stay as tombstones.

It is done in steps, each a transaction of its own and short, so that nobody waits for a large account. `erasures`
records the progress, so that a restarted node resumes it.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from chatnode.errors import Refusal
from chatnode.model.events import Event, PersonErased, PersonUpdated, RoleChanged
from chatnode.model.people import Account
from chatnode.model.permissions import MEMBER
from chatnode.model.records import record
from chatnode.model.times import rfc3339
from chatnode.storage.conversations import members
from chatnode.storage.engine import catalogue
from chatnode.storage.engine.additions import CoreTable, EventKind, additions
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.row import Row
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.messages import adoption
from chatnode.storage.messages import changes as message_changes
from chatnode.storage.people import audit, people, sessions
from chatnode.storage.privacy import traces

SPAN = 20_000
"""Messages that one step looks through."""
MOST = 200
"""Most messages that one step erases, groups that it leaves, mentions that it removes."""


@record
class ErasureBatch:
    """Messages of a user, by key, with their texts; `upto` is how far the search got, `last` whether it is complete."""

    messages: list[tuple[int, int, int]]
    texts: list[str]
    upto: int
    last: bool


def begin(tx: Transaction, account: Account) -> Account:
    """Empty the profile and block sign-in. Gives the account as it is now.

    Raises `Refusal`: `gone` when that was done before, `conflict` for the only administrator, and while an imported
    author is handed over.
    """
    if account.erased_at is not None:
        raise Refusal("gone", "this account was erased before", path="person")
    if adoption.is_under_way(tx, account):
        raise Refusal("conflict", "an adoption of or by this account is in progress; try again later", path="person")
    fellows = people.fellows(tx, account.key)
    erased = people.empty(tx, account, "erased")
    if account.role == "admin" and not people.has_admin(tx):
        raise Refusal("conflict", f"{account.handle} is the only administrator; make another one first", path="person")
    tx.execute("INSERT INTO erasures (person) VALUES (?)", (account.key,))
    for table in additions(tx).tables:
        if isinstance(table, CoreTable) and table.at_once is not None:
            _count(tx, account.key, table.name, table.at_once(tx, account))
    tx.record(PersonUpdated(people.public(erased)), people=fellows, subject=account.key, actor=account.key)
    _count(tx, account.key, "sessions", sessions.revoke_all(tx, account.key, None))  # who hear no more
    if account.role != MEMBER:
        tx.record(RoleChanged(MEMBER), people=(account.key,), subject=account.key)
    return erased


def leave_groups(tx: Transaction, person: int, most: int) -> int:
    """Leave up to `most` groups; returns how many. Direct conversations keep their two people."""
    rows = tx.execute(
        "SELECT c.id FROM members m JOIN conversations c ON c.key = m.conversation "
        "WHERE m.person = ? AND m.left_gid IS NULL AND c.kind = 'group' LIMIT ?",
        (person, most),
    ).fetchall()
    account = people.by_key(tx, person)
    for (id,) in rows:
        members.leave(tx, account, id)
    _count(tx, person, "members", len(rows))
    return len(rows)


def remove_marks(tx: Transaction, person: int, most: int) -> int:
    """Remove up to `most` of what each table keeps about them, such as when they read what, and the mentions of them.

    Returns how many rows those were; 0 when there are no more.
    """
    removed = 0
    for table in additions(tx).tables:
        rows = 0
        if isinstance(table, CoreTable) and table.in_steps is not None:
            rows += tx.execute(table.in_steps, {"person": person, "most": most}).rowcount
        for column in table.people:
            rows += catalogue.delete_rows(tx, table.name, column, person, most)
        _count(tx, person, table.name, rows)
        removed += rows
    return removed


def find_messages(reader: Reader, person: int, after: int | None, most: int) -> ErasureBatch:
    """Up to `most` that they said, in the next messages after the key `after`; None is from where it was left off."""
    if after is None:
        row = reader.execute("SELECT upto FROM erasures WHERE person = ?", (person,)).fetchone()
        after = int(row[0]) if row else 0
    rows = reader.execute(
        "SELECT key, conversation, seq, text, edits FROM messages WHERE key > ? AND key <= ? AND sender = ? "
        "ORDER BY key LIMIT ?",
        (after, after + SPAN, person, most),
    ).fetchall()
    (newest,) = reader.execute("SELECT coalesce(max(key), 0) FROM messages").fetchone()
    found: list[tuple[int, int, int]] = []
    texts: list[str] = []
    for key, conversation, seq, text, edits in rows:
        found.append((key, conversation, seq))
        texts.append(text)
        if edits:
            earlier = "SELECT text FROM message_edits WHERE conversation = ? AND seq = ?"
            texts += [text for (text,) in reader.execute(earlier, (conversation, seq))]
    upto = found[-1][0] if len(found) == most else after + SPAN
    return ErasureBatch(found, texts, upto, upto >= newest)


def erase_messages(tx: Transaction, person: int, batch: ErasureBatch) -> None:
    """Make tombstones of messages. Those that were deleted before stay as they are, but for the ids that the sender's
    client gave them: these may say anything, and those of an import say which message it was at its source."""
    (at,) = tx.execute("SELECT erased_at FROM people WHERE key = ?", (person,)).fetchone()
    erased = 0
    for key, conversation, seq in batch.messages:
        tx.execute("INSERT INTO erasure_conversations VALUES (?, ?) ON CONFLICT DO NOTHING", (person, conversation))
        tx.execute("UPDATE messages SET cid = '' WHERE key = ?", (key,))
        if tx.execute("SELECT 1 FROM messages WHERE key = ? AND deleted_at IS NULL", (key,)).fetchone():
            message_changes.erase_text(tx, conversation, seq, "erased", None, at=at)
            erased += 1
    _count(tx, person, "messages", erased)
    tx.execute("UPDATE erasures SET upto = ? WHERE person = ?", (batch.upto, person))


def finish(tx: Transaction, person: int, of_plugins: Mapping[str, int]) -> dict[str, int]:
    """Tell everybody who has something of theirs; gives how many rows of each table were erased, and what plugins say
    was erased with them."""
    row = tx.execute("SELECT counts FROM erasures WHERE person = ?", (person,)).fetchone()
    if row is None:
        return {}  # another task was quicker
    counts: dict[str, int] = {**orjson.loads(row[0]), **of_plugins}
    concerned = [
        key
        for (key,) in tx.execute(
            "SELECT DISTINCT m.person FROM members m WHERE m.left_gid IS NULL AND m.conversation IN "
            "(SELECT conversation FROM erasure_conversations WHERE person = :person "
            "UNION SELECT conversation FROM members WHERE person = :person)",
            {"person": person},
        )
    ]
    account = people.by_key(tx, person)
    tx.execute("DELETE FROM erasure_conversations WHERE person = ?", (person,))
    tx.execute("DELETE FROM erasures WHERE person = ?", (person,))
    event = PersonErased(people.public(account), rfc3339(account.erased_at or tx.now))
    tx.record(event, people=concerned, subject=person)
    traces.mark_pending_traces(tx)
    audit.record(tx, None, "people.erased", account.id, **counts)
    return counts


def unfinished(reader: Reader) -> list[int]:
    """Keys of people whose erasure was begun and not finished."""
    return [key for (key,) in reader.execute("SELECT person FROM erasures ORDER BY person")]


def _count(tx: Transaction, person: int, table: str, rows: int) -> None:
    if rows:
        (counts,) = tx.execute("SELECT counts FROM erasures WHERE person = ?", (person,)).fetchone()
        known: dict[str, int] = orjson.loads(counts)
        known[table] = known.get(table, 0) + rows
        tx.execute("UPDATE erasures SET counts = ? WHERE person = ?", (orjson.dumps(known).decode(), person))


def _made_again(reader: Reader, row: Row) -> Event:
    account = people.by_key(reader, row.subject)
    return PersonErased(people.public(account), rfc3339(account.erased_at or row.at))


EVENTS = (EventKind(PersonErased, _made_again),)


TABLES = (
    CoreTable("erasures", left_out="erasing under way goes on here"),
    CoreTable("erasure_conversations", left_out="part of erasures"),
)
