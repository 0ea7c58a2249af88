"""The tables of mailboxes and mails."""

from __future__ import annotations

from typing import Literal

import attrs

from chatnode.api import DAY_MS, Querying, Transaction, new_id, record

MailKind = Literal["instant", "digest", "notice"]
MailState = Literal["pending", "sent", "failed", "bounced", "suppressed", "expired"]
MailboxState = Literal["pending", "active", "bounced"]
SECOND_MS = 1_000


@record(frozen=True)
class MailboxRow:
    """A row of `notifications_mailboxes`."""

    key: int
    person: int
    address: str
    state: MailboxState
    added_at: int
    verified_at: int | None
    since: int | None
    code: str | None
    code_until: int | None
    code_tries: int
    last_ok_at: int | None
    failures: int
    last_error: str | None


@record(frozen=True)
class MailRow:
    """A row of `notifications_mails` that is to be sent."""

    key: int
    id: str
    person: int
    kind: MailKind
    address: str | None
    attempts: int
    made_at: int


_MAILBOX = ", ".join(field.name for field in attrs.fields(MailboxRow))
_MAIL = ", ".join(field.name for field in attrs.fields(MailRow))


def mailboxes_of(reader: Querying, person: int) -> list[MailboxRow]:
    """A user's mailboxes: the one that is used or bounced first, then one that waits for its code."""
    rows = reader.execute(
        f"SELECT {_MAILBOX} FROM notifications_mailboxes WHERE person = ? ORDER BY verified_at IS NULL, key",  # noqa: S608
        (person,),
    )
    return [MailboxRow(*row) for row in rows]


def active_mailbox(reader: Querying, person: int) -> MailboxRow | None:
    """The mailbox that a user's mails go to."""
    return next((each for each in mailboxes_of(reader, person) if each.state == "active"), None)


def add_mail(
    tx: Transaction,
    person: int,
    kind: MailKind,
    *,
    slot: str | None = None,
    address: str | None = None,
    due_at: int | None = None,
) -> int:
    """A mail that is to be sent, by default now; returns its key."""
    row = tx.execute(
        "INSERT INTO notifications_mails (id, person, kind, address, slot, made_at, due_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING key",
        (new_id(), person, kind, address, slot, tx.now, tx.now if due_at is None else due_at),
    ).fetchone()
    return row[0]


def claim_mails(tx: Transaction, most: int, again_after: int) -> list[MailRow]:
    """The mails to send now, those due first: an attempt of each begins.

    If it has no outcome, because the node was killed, the mail is due again `again_after` milliseconds later. One that
    is due more than a day from now is due: the clock was set back.
    """
    rows = tx.execute(
        f"SELECT {_MAIL} FROM notifications_mails WHERE state = 'pending' AND (due_at <= :now OR due_at > :now + :day) "  # noqa: S608
        "ORDER BY due_at LIMIT :most",
        {"now": tx.now, "day": DAY_MS, "most": most},
    )
    found = [MailRow(*row) for row in rows]
    tx.executemany(
        "UPDATE notifications_mails SET attempts = attempts + 1, tried_at = ?, due_at = ? WHERE key = ?",
        [(tx.now, tx.now + again_after, mail.key) for mail in found],
    )
    return found


def end_mail(tx: Transaction, mail: int, state: MailState, code: str = "", error: str = "") -> None:
    """It has this outcome, and is not tried again."""
    tx.execute(
        "UPDATE notifications_mails SET state = ?, ended_at = ?, code = ?, error = ? WHERE key = ?",
        (state, tx.now, code or None, error or None, mail),
    )


def items_of_mail(reader: Querying, mail: int) -> list[int]:
    """The keys of the items that a mail tells of, and no mail has told of yet."""
    rows = reader.execute(
        "SELECT w.item FROM notifications_mail_items w JOIN notifications_items i ON i.key = w.item "
        "WHERE w.mail = ? AND i.mailed_at IS NULL",
        (mail,),
    )
    return [item for (item,) in rows]
