"""Blocks between users. What blocked users can still see: `blocked_view.py`."""

from __future__ import annotations

from chatnode.errors import Refusal
from chatnode.model.events import Event, PersonBlocked
from chatnode.model.ids import direct_id
from chatnode.model.people import Account, Person
from chatnode.storage.conversations import conversations
from chatnode.storage.engine.additions import CoreTable, EventKind, rows_of
from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.engine.row import Row
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people import people


def block(tx: Transaction, account: Account, other: Account) -> None:
    """Block `other`: the direct conversation is closed. Blocking twice changes nothing."""
    if other.key == account.key:
        raise Refusal("invalid", "you cannot block yourself", path="person")
    added = tx.execute(
        "INSERT INTO blocks (person, blocked, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (account.key, other.key, tx.now),
    ).rowcount
    if not added:
        return
    tx.execute(
        "INSERT INTO block_marks (person, blocked, conversation, delivered_seq, shown_seq) "
        "SELECT m.person, o.person, m.conversation, m.delivered_seq, m.shown_seq FROM members m "
        "JOIN members o ON o.conversation = m.conversation AND o.person = ? WHERE m.person = ?",
        (other.key, account.key),
    )
    tx.record(PersonBlocked(other.ref, True), people=(account.key,), subject=other.key, actor=account.key)
    if (talk := _direct(tx, account, other)) is not None and talk[1] is None:
        conversations.set_closed(tx, talk[0], "blocked", account)


def unblock(tx: Transaction, account: Account, other: Account) -> None:
    """Unblock `other`: the conversation that the block closed is reopened, unless they block too."""
    removed = tx.execute("DELETE FROM blocks WHERE person = ? AND blocked = ?", (account.key, other.key)).rowcount
    if not removed:
        return
    tx.execute("DELETE FROM block_marks WHERE person = ? AND blocked = ?", (account.key, other.key))
    tx.record(PersonBlocked(other.ref, False), people=(account.key,), subject=other.key, actor=account.key)
    talk = _direct(tx, account, other)
    if talk is not None and talk[1] == "blocked" and not has_blocked(tx, other.key, account.key):
        conversations.set_open(tx, talk[0], account)


def _direct(tx: Transaction, account: Account, other: Account) -> tuple[int, str | None] | None:
    id = direct_id(account.id, other.id)
    return tx.execute("SELECT key, closed_reason FROM conversations WHERE id = ?", (id,)).fetchone()


def has_blocked(reader: Querying, person: int, other: int) -> bool:
    """Whether `person` has blocked `other`, both by their keys."""
    row = reader.execute("SELECT 1 FROM blocks WHERE person = ? AND blocked = ?", (person, other))
    return row.fetchone() is not None


def not_blocked(person: str) -> str:
    """SQL, a condition: that neither `:me` nor the user with the key in the column `person` has blocked the other."""
    return (
        f"{person} NOT IN (SELECT blocked FROM blocks WHERE person = :me "  # noqa: S608
        "UNION ALL SELECT person FROM blocks WHERE blocked = :me)"
    )


def refuse_blocked(tx: Transaction, account: Account, other: Account, path: str) -> None:
    """Raises `Refusal("forbidden")` at `path` when one of the two has blocked the other."""
    if has_blocked(tx, account.key, other.key):
        raise Refusal("forbidden", f"you have blocked {other.handle}", path=path)
    if has_blocked(tx, other.key, account.key):
        raise Refusal("forbidden", f"{other.handle} does not accept messages from you", path=path)


def without_blocked(tx: Transaction, account: Account, others: list[Account]) -> list[Account]:
    """Those of `others` who neither blocked the person nor were blocked by them."""
    rows = tx.execute(
        "SELECT blocked FROM blocks WHERE person = :me UNION SELECT person FROM blocks WHERE blocked = :me",
        {"me": account.key},
    )
    keys = {key for (key,) in rows}
    return [other for other in others if other.key not in keys]


def page(reader: Reader, account: Account) -> list[Person]:
    """The users that a user has blocked, in order of handles."""
    rows = reader.execute(
        "SELECT b.blocked FROM blocks b JOIN people p ON p.key = b.blocked WHERE b.person = ? ORDER BY p.handle",
        (account.key,),
    ).fetchall()
    return [people.public(people.by_key(reader, key)) for (key,) in rows]


def _as_it_is(reader: Reader, row: Row) -> Event:
    person = people.ref(reader, row.subject)
    assert person is not None
    assert row.actor is not None
    return PersonBlocked(person, has_blocked(reader, row.actor, row.subject))


EVENTS = (EventKind(PersonBlocked, _as_it_is),)


TABLES = (
    CoreTable(
        "blocks",
        lines=(
            "block",
            "SELECT p.id AS person, o.id AS blocked, b.at FROM blocks b JOIN people p ON p.key = b.person "
            "JOIN people o ON o.key = b.blocked ORDER BY b.person, b.blocked",
        ),
        entry="block",
        export="SELECT p.key, p.id AS person, p.handle, b.at FROM blocks b JOIN people p ON p.key = b.blocked WHERE "
        "b.person = :person AND p.key > :after ORDER BY p.key LIMIT :limit",
        at_once=rows_of("blocks", "person", "blocked"),
    ),
    CoreTable(
        "block_marks",
        left_out="what a blocked user is shown; means nothing elsewhere",
        at_once=rows_of("block_marks", "person", "blocked"),
    ),
)
