"""How far each participant has got: delivered to a device, and read.

A mark is a seq and only goes up. Reading implies delivery; posting implies reading everything before. When a user who
hides receipts reads, nothing that others see changes, not even what was delivered to that user. Each advance is stored
with its time, so that it is known when each reader got and read each message.
"""

from __future__ import annotations

from collections.abc import Callable

from chatnode.errors import Refusal
from chatnode.model.commands.messages import Marked, MarkedIn
from chatnode.model.events import Event, ReceiptDelivered, ReceiptRead
from chatnode.model.messages import Receipt, ReceiptKind
from chatnode.model.people import Account, PersonRef
from chatnode.model.times import rfc3339, rfc3339_or_none
from chatnode.storage.conversations import blocked_view, conversations
from chatnode.storage.conversations.conversations import Place
from chatnode.storage.engine.additions import CoreTable, EventKind
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.dialect import json_list, json_row
from chatnode.storage.engine.row import Row
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people import people


class Advances:
    """Marks that advanced in a transaction. `write` writes those of all members together."""

    __slots__ = ("_hidden_from", "_moved", "_times", "_wait")

    def __init__(self, hidden_from: dict[int, frozenset[int]] | None = None, *, wait: bool = False) -> None:
        """`hidden_from` caches, by user, what `blocked_view.hidden_from` returns. `wait`: only `write` writes."""
        self._hidden_from = {} if hidden_from is None else hidden_from
        self._wait = wait
        self._moved: dict[tuple[int, int], tuple[Place, int | None]] = {}
        self._times: list[tuple[int, int, ReceiptKind, int, int]] = []

    def advance(self, place: Place, person: int, kind: ReceiptKind, seq: int, now: int) -> None:
        """Advance a mark and keep the time, but no time of reading for a user who hides receipts."""
        _, shown = self._moved.get((place.key, person), _NOT_MOVED)
        if kind == "delivered":
            place.delivered_seq = seq
        else:
            place.read_seq = seq
            if place.hides_receipts:
                self._moved[place.key, person] = place, shown
                return
            shown = seq
        self._moved[place.key, person] = place, shown
        self._times.append((place.key, person, kind, seq, now))

    def posted(self, place: Place, person: int, seq: int, now: int) -> None:
        """The sender of a message has read everything before it. No event is needed: the message itself shows it."""
        if place.read_seq < place.head:
            self.advance(place, person, "read", place.head, now)
        if place.delivered_seq < place.head:
            self.advance(place, person, "delivered", place.head, now)
        place.read_seq = place.delivered_seq = seq
        self._moved[place.key, person] = place, seq

    def hidden_from(self, tx: Transaction, person: int) -> frozenset[int]:
        """`blocked_view.hidden_from`, once for each user."""
        found = self._hidden_from.get(person)
        if found is None:
            found = self._hidden_from[person] = blocked_view.hidden_from(tx, person)
        return found

    def write_before_event(self, tx: Transaction) -> None:
        """Write before an event is recorded, so that plugins that follow it find the new marks, unless
        `wait` was given."""
        if not self._wait:
            self.write(tx)

    def write(self, tx: Transaction) -> None:
        if self._moved:
            tx.executemany(
                "UPDATE members SET read_seq = ?, delivered_seq = ?, shown_seq = coalesce(?, shown_seq) "
                "WHERE conversation = ? AND person = ?",
                [
                    (place.read_seq, place.delivered_seq, shown, key, person)
                    for (key, person), (place, shown) in self._moved.items()
                ],
            )
            self._moved.clear()
        if self._times:
            tx.executemany(
                "INSERT INTO receipts (conversation, person, kind, seq, at) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT DO NOTHING",
                self._times,
            )
            self._times.clear()


_NOT_MOVED = (None, None)


def mark(tx: Transaction, account: Account, conversation: str, kind: ReceiptKind, seq: int) -> Marked:
    """Advance a mark to `seq`. If it is there or further already, nothing changes and no event is recorded.

    Raises `Refusal("invalid")` for a seq that the conversation has not reached.
    """
    return mark_in(tx, Advances(), conversations.access(tx, account, conversation), account, kind, seq)


def mark_in(tx: Transaction, advances: Advances, place: Place, account: Account, kind: ReceiptKind, seq: int) -> Marked:
    """`mark` for a known place. If `advances` waits, the caller writes it."""
    if seq > place.head:
        raise Refusal("invalid", f"seq is {seq}; the newest message is {place.head}", path="seq")
    if kind == "delivered":
        if seq > place.delivered_seq:
            _deliver(tx, advances, place, account, seq)
        return Marked(max(place.delivered_seq, place.read_seq), place.head - place.read_seq)
    if seq > place.read_seq:
        _read(tx, advances, place, account, seq)
    return Marked(place.read_seq, place.head - place.read_seq)


def _deliver(tx: Transaction, advances: Advances, place: Place, account: Account, seq: int) -> None:
    advances.advance(place, account.key, "delivered", seq, tx.now)
    advances.write_before_event(tx)
    tx.record(
        ReceiptDelivered(place.id, account.ref, seq, rfc3339(tx.now)),
        conversation=place.key, subject=seq, actor=account.key, hidden_from=advances.hidden_from(tx, account.key),
    )  # fmt: skip


def _read(tx: Transaction, advances: Advances, place: Place, account: Account, seq: int) -> None:
    hidden = bool(place.hides_receipts)
    if seq > place.delivered_seq and not hidden:
        advances.advance(place, account.key, "delivered", seq, tx.now)
    advances.advance(place, account.key, "read", seq, tx.now)
    advances.write_before_event(tx)
    tx.record(
        ReceiptRead(place.id, account.ref, seq, rfc3339(tx.now)),
        conversation=place.key, people=(account.key,) if hidden else (),
        subject=seq, actor=account.key, private=hidden,
        hidden_from=frozenset() if hidden else advances.hidden_from(tx, account.key),
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
    advances = Advances()
    for id in dict.fromkeys(ids):
        try:
            place = conversations.access(tx, account, id)
        except Refusal as refusal:
            raise Refusal(refusal.code, refusal.message, path="conversations") from None
        if place.read_seq < place.head:
            _read(tx, advances, place, account, place.head)
            found.append(MarkedIn(id, place.head))
    return found


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
        Receipt(PersonRef(id, handle), rfc3339_or_none(delivered), rfc3339_or_none(read))
        for id, handle, delivered, read in rows
        if delivered or read
    ]


def _time_of(kind: ReceiptKind) -> str:
    """SQL: when the mark of `members m` reached `:seq`: the time of its first advance to it or beyond."""
    return (
        f"CASE WHEN {blocked_view.shown_mark('m', kind)} >= :seq THEN "  # noqa: S608 -- constants
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
    hidden = row.actor is not None and blocked_view.is_hidden(reader, row.actor, person, row.at)
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
