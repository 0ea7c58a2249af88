"""Storage of contact requests."""

from __future__ import annotations

from typing import cast

from chatnode.api import (
    DAY_MS,
    Account,
    PersonRef,
    Querying,
    Reader,
    Refusal,
    Row,
    Transaction,
    counted,
    person_by_key,
    public_person,
    rfc3339,
)
from chatnode_contacts.model import (
    ContactRequest,
    Direction,
    RequestAccepted,
    RequestCancelled,
    RequestDeclined,
    Requested,
)
from chatnode_contacts.seen import seen
from chatnode_contacts.settings import ContactsSettings

Closing = type[RequestAccepted] | type[RequestDeclined] | type[RequestCancelled]

PENDING = "declined_at IS NULL"


# ---- reading


def is_pending(reader: Querying, sender: int, receiver: int) -> bool:
    sql = f"SELECT 1 FROM contacts_requests WHERE sender = ? AND receiver = ? AND {PENDING}"  # noqa: S608
    return reader.execute(sql, (sender, receiver)).fetchone() is not None


def page(
    reader: Reader, me: Account, direction: Direction, before: int | None, limit: int
) -> tuple[list[ContactRequest], int | None]:
    """Newest first, without users who block the requester or are blocked by them; and the cursor of the next page."""
    mine, theirs = ("receiver", "sender") if direction == "incoming" else ("sender", "receiver")
    rows = reader.execute(
        f"SELECT key, sender, receiver, at, note FROM contacts_requests r WHERE {mine} = :me AND {PENDING} "  # noqa: S608
        f"AND key < :before AND {seen(theirs)} ORDER BY key DESC LIMIT :limit",
        {"me": me.key, "before": before if before is not None else 2**62, "limit": limit + 1},
    ).fetchall()
    found = [_request(reader, row) for row in rows[:limit]]
    return found, found[-1].request if len(rows) > limit else None


def _request(reader: Querying, row: tuple[int, int, int, int, str]) -> ContactRequest:
    key, sender, receiver, at, note = row
    one, other = (public_person(person_by_key(reader, person)) for person in (sender, receiver))
    return ContactRequest(key, one, other, rfc3339(at), note)


def _find(reader: Querying, sender: int, receiver: int) -> ContactRequest | None:
    row = reader.execute(
        f"SELECT key, sender, receiver, at, note FROM contacts_requests "  # noqa: S608
        f"WHERE sender = ? AND receiver = ? AND {PENDING}",
        (sender, receiver),
    ).fetchone()
    return _request(reader, row) if row is not None else None


# ---- changing


def ask(tx: Transaction, sender: Account, receiver: Account, note: str, settings: ContactsSettings) -> None:
    """Ask; asking again while there is no answer changes nothing.

    Raises `Refusal`: `rate_limited` after a refusal that was not long ago, `too_large` for too many without an answer.
    """
    if is_pending(tx, sender.key, receiver.key):
        return
    _refuse_soon_after_decline(tx, sender, receiver, settings)
    _check_room(tx, "sender", sender.key, settings, "you have {}")
    _check_room(tx, "receiver", receiver.key, settings, f"{receiver.handle} has {{}}")
    tx.execute("DELETE FROM contacts_requests WHERE sender = ? AND receiver = ?", (sender.key, receiver.key))
    tx.execute(
        "INSERT INTO contacts_requests (sender, receiver, note, at) VALUES (?, ?, ?, ?)",
        (sender.key, receiver.key, note, tx.now),
    )
    request = _find(tx, sender.key, receiver.key)
    assert request is not None
    tx.record(Requested(request), people=(sender.key, receiver.key), subject=receiver.key, actor=sender.key)


def _refuse_soon_after_decline(tx: Transaction, sender: Account, receiver: Account, settings: ContactsSettings) -> None:
    row = tx.execute(
        "SELECT declined_at FROM contacts_requests WHERE sender = ? AND receiver = ?", (sender.key, receiver.key)
    ).fetchone()
    until = row[0] + settings.declined_days * DAY_MS if row is not None else 0
    if tx.now < until:
        raise Refusal(
            "rate_limited",
            f"{receiver.handle} declined; you may send another request after {rfc3339(until)}",
            path="person",
            retry_after=(until - tx.now) / 1000,
        )


def _check_room(tx: Transaction, column: str, person: int, settings: ContactsSettings, words: str) -> None:
    most = settings.pending_requests
    sql = f"SELECT count(*) FROM contacts_requests WHERE {column} = ? AND {PENDING}"  # noqa: S608
    if most and tx.execute(sql, (person,)).fetchone()[0] >= most:
        raise Refusal("too_large", words.format(counted(most, "unanswered request")), path="person")


def decline(tx: Transaction, sender: Account, receiver: Account) -> None:
    """Raises `Refusal("not_found")`."""
    changed = tx.execute(
        f"UPDATE contacts_requests SET declined_at = ?, note = '' "  # noqa: S608
        f"WHERE sender = ? AND receiver = ? AND {PENDING}",
        (tx.now, sender.key, receiver.key),
    ).rowcount
    if not changed:
        raise Refusal("not_found", f"{sender.handle} has not sent you a request", path="person")
    _record_closed(tx, RequestDeclined, sender, receiver)


def cancel(tx: Transaction, sender: Account, receiver: Account) -> None:
    """Raises `Refusal("not_found")`."""
    if not _delete_pending(tx, sender.key, receiver.key):
        raise Refusal("not_found", f"you have no pending request to {receiver.handle}", path="person")
    _record_closed(tx, RequestCancelled, sender, receiver)


def answered(tx: Transaction, sender: Account, receiver: Account) -> None:
    """The request was accepted, and with it whatever the two asked each other before."""
    was_pending = _delete_pending(tx, sender.key, receiver.key)
    if _delete_pending(tx, receiver.key, sender.key):
        _record_closed(tx, RequestAccepted, receiver, sender)
    pair = {"one": sender.key, "other": receiver.key}
    tx.execute("DELETE FROM contacts_requests WHERE sender = :one AND receiver = :other", pair)
    tx.execute("DELETE FROM contacts_requests WHERE sender = :other AND receiver = :one", pair)
    if was_pending:
        _record_closed(tx, RequestAccepted, sender, receiver)


def drop_between(tx: Transaction, one: Account, other: Account) -> None:
    """One of the two has blocked the other: what waits for an answer is withdrawn."""
    for sender, receiver in ((one, other), (other, one)):
        if _delete_pending(tx, sender.key, receiver.key):
            _record_closed(tx, RequestCancelled, sender, receiver)


def _delete_pending(tx: Transaction, sender: int, receiver: int) -> bool:
    sql = f"DELETE FROM contacts_requests WHERE sender = ? AND receiver = ? AND {PENDING}"  # noqa: S608
    return tx.execute(sql, (sender, receiver)).rowcount > 0


def forget_declined(tx: Transaction, settings: ContactsSettings) -> int:
    """Remove what may be asked again; gives how many rows that were."""
    until = tx.now - settings.declined_days * DAY_MS
    return tx.execute("DELETE FROM contacts_requests WHERE declined_at <= ?", (until,)).rowcount


# ---- events


def _record_closed(tx: Transaction, kind: Closing, sender: Account, receiver: Account) -> None:
    event = kind(sender.ref, receiver.ref)
    tx.record(event, people=(sender.key, receiver.key), subject=receiver.key, actor=sender.key)


def make_requested(reader: Reader, row: Row) -> Requested | None:
    request = _find(reader, cast("int", row.actor), row.subject)
    return Requested(request) if request is not None else None


def make_accepted(reader: Reader, row: Row) -> RequestAccepted:
    return RequestAccepted(*_both(reader, row))


def make_declined(reader: Reader, row: Row) -> RequestDeclined:
    return RequestDeclined(*_both(reader, row))


def make_cancelled(reader: Reader, row: Row) -> RequestCancelled:
    return RequestCancelled(*_both(reader, row))


def _both(reader: Reader, row: Row) -> tuple[PersonRef, PersonRef]:
    return person_by_key(reader, cast("int", row.actor)).ref, person_by_key(reader, row.subject).ref
