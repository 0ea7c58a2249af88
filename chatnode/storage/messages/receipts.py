"""How far each participant has got: delivered to a device, and read.

A mark is a seq and only goes up. Reading implies delivery; posting implies reading what came before. Who hides
their receipts moves nothing that others see by reading, not even what was delivered to them.
Each advance is kept with its time, so that the time of every message for every reader is known.
"""

from __future__ import annotations

from collections.abc import Callable

from chatnode.errors import Refusal
from chatnode.model.commands.messages import Marked, MarkedIn
from chatnode.model.events import Event, ReceiptDelivered, ReceiptRead
from chatnode.model.messages import Receipt, ReceiptKind
from chatnode.model.people import Account, PersonRef
from chatnode.model.times import rfc3339
from chatnode.storage.conversations import conversations, signs
from chatnode.storage.conversations.conversations import Place
from chatnode.storage.engine.additions import CoreTable, EventKind
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.dialect import json_list, json_row
from chatnode.storage.engine.row import Row
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people import people


def mark(tx: Transaction, account: Account, conversation: str, kind: ReceiptKind, seq: int) -> Marked:
    """Move a mark up to `seq`; a mark that is further already stays, and nobody is told anything.

    Raises `Refusal("invalid")` for a seq that the conversation has not reached.
    """
    place = conversations.access(tx, account, conversation)
    if seq > place.head:
        raise Refusal("invalid", f"seq is {seq}; the newest message is {place.head}", path="seq")
    if kind == "delivered":
        if seq > place.delivered_seq:
            _advance(tx, place, account.key, "delivered", seq)
            tx.record(
                ReceiptDelivered(place.id, account.ref, seq, rfc3339(tx.now)),
                conversation=place.key, subject=seq, actor=account.key,
                hidden_from=signs.hidden_from(tx, account.key),
            )  # fmt: skip
        return Marked(max(seq, place.delivered_seq, place.read_seq), place.head - place.read_seq)
    if seq > place.read_seq:
        _read(tx, place, account, seq)
    read = max(seq, place.read_seq)
    return Marked(read, place.head - read)


def _read(tx: Transaction, place: Place, account: Account, seq: int) -> None:
    hidden = bool(place.hides_receipts)
    if seq > place.delivered_seq and not hidden:
        _advance(tx, place, account.key, "delivered", seq)
    _advance(tx, place, account.key, "read", seq)
    tx.record(
        ReceiptRead(place.id, account.ref, seq, rfc3339(tx.now)),
        conversation=place.key, people=(account.key,) if hidden else (),
        subject=seq, actor=account.key, private=hidden,
        hidden_from=frozenset() if hidden else signs.hidden_from(tx, account.key),
    )  # fmt: skip


def mark_all(tx: Transaction, account: Account, ids: list[str] | None) -> list[MarkedIn]:
    """Read everything in these conversations, or in all; returns those in which something was unread, and up to where.

    Raises `Refusal` for a conversation that the person does not take part in; then nothing is marked.
    """
    if ids is None:
        ids = [
            id
            for (id,) in tx.execute(
                "SELECT c.id FROM members m JOIN conversations c ON c.key = m.conversation "
                "WHERE m.person = ? AND m.left_gid IS NULL AND m.read_seq < c.head ORDER BY c.key",
                (account.key,),
            ).fetchall()
        ]
    found: list[MarkedIn] = []
    for id in dict.fromkeys(ids):
        try:
            place = conversations.access(tx, account, id)
        except Refusal as refusal:
            raise Refusal(refusal.code, refusal.message, path="conversations") from None
        if place.read_seq < place.head:
            _read(tx, place, account, place.head)
            found.append(MarkedIn(id, place.head))
    return found


def posting_reads(tx: Transaction, place: Place, person: int, seq: int) -> None:
    """Who posts has read what came before; the push of the message tells everybody."""
    if place.read_seq < place.head:
        _advance(tx, place, person, "read", place.head)
    if place.delivered_seq < place.head:
        _advance(tx, place, person, "delivered", place.head)
    tx.execute(
        "UPDATE members SET read_seq = ?1, delivered_seq = ?1, shown_seq = ?1 WHERE conversation = ?2 AND person = ?3",
        (seq, place.key, person),
    )


_SET = {
    "delivered": "delivered_seq = :seq",
    "read": "read_seq = :seq, shown_seq = :seq",
    "read, hidden": "read_seq = :seq",
}


def _advance(tx: Transaction, place: Place, person: int, kind: ReceiptKind, seq: int) -> None:
    """Move a mark up and keep the time; no time is kept for a user who hides receipts."""
    hidden = kind == "read" and place.hides_receipts
    tx.execute(
        f"UPDATE members SET {_SET[f'{kind}, hidden' if hidden else kind]} "  # noqa: S608
        "WHERE conversation = :conversation AND person = :person",
        {"seq": seq, "conversation": place.key, "person": person},
    )
    if not hidden:
        tx.execute(
            "INSERT INTO receipts (conversation, person, kind, seq, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (place.key, person, kind, seq, tx.now),
        )


def of_message(reader: Reader, account: Account, place: Place, sender: str, seq: int) -> list[Receipt]:
    """When each member but the sender got and read the message at `seq`, as `account` may see it, ordered by handle."""
    rows = reader.execute(
        f"SELECT p.id, p.handle, {_time_of('delivered')}, {_time_of('read')} "  # noqa: S608 -- constants
        "FROM members m JOIN people p ON p.key = m.person "
        "WHERE m.conversation = :conversation AND m.left_gid IS NULL AND p.id <> :sender AND m.delivered_seq >= :seq "
        "AND m.first <= :seq ORDER BY p.handle",
        {"me": account.key, "conversation": place.key, "sender": sender, "seq": seq},
    )
    return [
        Receipt(PersonRef(id, handle), rfc3339(delivered) if delivered else None, rfc3339(read) if read else None)
        for id, handle, delivered, read in rows
        if delivered or read
    ]


def _time_of(kind: ReceiptKind) -> str:
    """SQL: when the mark of `members m` reached `:seq`: the time of its first advance to it or beyond."""
    return (
        f"CASE WHEN {signs.shown_mark('m', kind)} >= :seq THEN "  # noqa: S608 -- constants
        "(SELECT r.at FROM receipts r WHERE r.conversation = m.conversation AND r.person = m.person "
        f"AND r.kind = '{kind}' AND r.seq >= :seq ORDER BY r.seq LIMIT 1) END"
    )


# ---- events


def _made_again(kind: type[ReceiptRead | ReceiptDelivered]) -> Callable[[Reader, Row], Event | None]:
    def make(reader: Reader, row: Row) -> Event | None:
        person = people.ref(reader, row.actor)
        return kind(row.conversation, person, row.subject, rfc3339(row.at)) if person is not None else None

    return make


def _unless_hidden(reader: Reader, person: int, row: Row, event: Event) -> Event | None:
    hidden = row.actor is not None and signs.is_hidden(reader, row.actor, person, row.at)
    return None if hidden else event


EVENTS = (
    EventKind(ReceiptRead, _made_again(ReceiptRead), show=_unless_hidden),
    EventKind(ReceiptDelivered, _made_again(ReceiptDelivered), show=_unless_hidden),
)
TABLES = (
    CoreTable(
        "receipts",
        lines=(
            "receipt",
            "SELECT c.id AS conversation, p.id AS person, r.kind, r.seq, r.at FROM receipts r JOIN "
            "conversations c ON c.key = r.conversation JOIN people p ON p.key = r.person ORDER BY "
            "r.conversation, r.person, r.kind, r.seq",
        ),
        entry="receipt",
        export=f"SELECT c.key, c.id AS conversation, {json_list(json_row('r.kind', 'r.seq', 'r.at'))} AS marks_json "  # noqa: S608
        "FROM members m JOIN conversations c ON c.key = m.conversation JOIN receipts r ON r.conversation = "
        "c.key AND r.person = m.person WHERE m.person = :person AND c.key > :after GROUP BY c.key ORDER BY "
        "c.key LIMIT :limit",
        in_steps=(
            "DELETE FROM receipts WHERE (conversation, person, kind, seq) IN "
            "(SELECT conversation, person, kind, seq FROM receipts "
            "WHERE person = :person AND conversation IN (SELECT conversation FROM members WHERE person = :person) "
            "LIMIT :most)"
        ),
        removed="DELETE FROM receipts WHERE conversation = :conversation AND seq <= :upto",
    ),
)
