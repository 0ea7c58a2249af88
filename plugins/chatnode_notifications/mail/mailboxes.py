"""Adding, verifying and removing the address that a user's mails go to.

An address is used once its owner has typed the code that was sent to it; until then, and until the new one is verified,
mails go to the old one.
"""

from __future__ import annotations

import hmac
import secrets

import attrs

from chatnode.api import DAY_MS, Account, Querying, Refusal, Transaction, counted, record, rfc3339, rfc3339_or_none
from chatnode_notifications.mail.keys import mac_of, mail_key, make_mail_key
from chatnode_notifications.mail.model import Mailbox, MailboxReply
from chatnode_notifications.mail.rows import SECOND_MS, MailboxRow, active_mailbox, add_mail, mailboxes_of

CODE_MS = 15 * 60 * SECOND_MS
"""How long a code is valid."""
CODE_TRIES = 5
_AGAIN_MS = 60 * SECOND_MS
"""A request that is repeated within this time does not send another code."""
_MOST_FAILURES = 3
"""Final refusals in a row after which a mailbox counts as bounced, whatever their codes are."""


def show(reader: Querying, person: int, *, enabled: bool) -> MailboxReply:
    """A user's mailboxes, as the commands return them."""
    reply = MailboxReply(enabled)
    for row in mailboxes_of(reader, person):
        if row.state != "pending" and row.verified_at is not None:
            last_ok = rfc3339_or_none(row.last_ok_at)
            reply.mailbox = Mailbox(row.address, row.state, rfc3339(row.verified_at), last_ok, row.last_error)
        if row.code is not None and row.code_until is not None:
            reply.pending, reply.pending_until = row.address, rfc3339(row.code_until)
    return reply


# ---- adding


@record(frozen=True)
class NewCode:
    """A code that is to be sent to an address. `key` is that of its row, `notice` that of the mail that tells the
    mailbox in use so far, if there is one."""

    code: str = attrs.field(repr=False)
    address: str
    key: int
    notice: int | None


def start_adding(tx: Transaction, person: Account, address: str, most_per_day: int) -> NewCode | None:
    """Make a code for an address; None if the address is in use already, or got a code less than a minute ago.

    Raises `Refusal("rate_limited")`.
    """
    rows = {row.address: row for row in mailboxes_of(tx, person.key)}
    row = rows.get(address)
    if row is not None and (row.state == "active" or _has_new_code(tx, row)):
        return None
    _check_rate(tx, person, address, most_per_day)
    code = f"{secrets.randbelow(1_000_000):06}"
    tx.execute("DELETE FROM notifications_mailboxes WHERE person = ? AND state = 'pending'", (person.key,))
    tx.execute("UPDATE notifications_mailboxes SET code = NULL WHERE person = ?", (person.key,))
    tx.execute(
        "INSERT INTO notifications_mailboxes (person, address, state, added_at, code, code_until) "
        "VALUES (:person, :address, 'pending', :now, :code, :until) ON CONFLICT (person, address) DO UPDATE SET "
        "code = excluded.code, code_until = excluded.code_until, code_tries = 0",
        {
            "person": person.key, "address": address, "now": tx.now, "until": tx.now + CODE_MS,
            "code": mac_of(make_mail_key(tx), "code", person.id, address, code),
        },
    )  # fmt: skip
    (key,) = tx.execute(
        "INSERT INTO notifications_mail_codes (person, address, at) VALUES (?, ?, ?) RETURNING key",
        (person.key, _recipient(address), tx.now),
    ).fetchone()
    notice, old = None, active_mailbox(tx, person.key)
    if old is not None:  # due when the code is sent, and in any case before it can be forgotten
        notice = add_mail(tx, person.key, "notice", address=old.address, due_at=tx.now + CODE_MS)
    return NewCode(code, address, key, notice)


def _recipient(address: str) -> str:
    """Whose address it is, as far as it shows: servers ignore case, and most of them what follows a plus sign."""
    name, _, domain = address.lower().rpartition("@")
    return f"{name.partition('+')[0]}@{domain}"


def _has_new_code(tx: Transaction, row: MailboxRow) -> bool:
    made_at = (row.code_until or 0) - CODE_MS
    return row.code is not None and row.code_tries < CODE_TRIES and tx.now - made_at < _AGAIN_MS


def _check_rate(tx: Transaction, person: Account, address: str, most: int) -> None:
    """The address counts for all users together: it may be that of somebody who wants no mail."""
    since = tx.now - DAY_MS
    for column, value in (("person", person.key), ("address", _recipient(address))):
        count, oldest = tx.execute(
            f"SELECT count(*), min(at) FROM notifications_mail_codes WHERE {column} = ? AND at > ?",  # noqa: S608
            (value, since),
        ).fetchone()
        if most and count >= most:
            raise Refusal(
                "rate_limited", f"no more than {most} codes are sent in 24 hours", path="address",
                retry_after=(oldest - since) / SECOND_MS,
            )  # fmt: skip


def confirm_code(tx: Transaction, new: NewCode) -> None:
    """It was sent: tell the mailbox in use so far."""
    tx.execute("UPDATE notifications_mails SET due_at = ? WHERE key = ? AND attempts = 0", (tx.now, new.notice))


def forget_code(tx: Transaction, person: int, new: NewCode, *, refused: bool) -> None:
    """The code could not be sent: the next request makes another one. `refused`: the address is none at all."""
    if refused:
        tx.execute(
            "DELETE FROM notifications_mailboxes WHERE person = ? AND address = ? AND state = 'pending'",
            (person, new.address),
        )
    else:  # it does not count; a refused one does, as nobody is to try out addresses
        tx.execute("DELETE FROM notifications_mail_codes WHERE key = ?", (new.key,))
    tx.execute(
        "UPDATE notifications_mailboxes SET code = NULL, code_until = NULL WHERE person = ? AND address = ?",
        (person, new.address),
    )
    tx.execute("DELETE FROM notifications_mails WHERE key = ? AND attempts = 0", (new.notice,))


# ---- verifying


def verify(tx: Transaction, person: Account, code: str) -> Refusal | None:
    """Use the address from now on, if it is its code. Returns the refusal: a wrong try must be stored."""
    row = next((each for each in mailboxes_of(tx, person.key) if each.code is not None), None)
    key = mail_key(tx)
    if row is None or row.code is None or key is None:
        return Refusal("not_found", "no address waits for a code; add one first", path="code")
    if row.code_tries >= CODE_TRIES or tx.now >= (row.code_until or 0):
        return Refusal("gone", "the code is no longer valid; add the address again to get another", path="code")
    if not hmac.compare_digest(mac_of(key, "code", person.id, row.address, code), row.code):
        tx.execute("UPDATE notifications_mailboxes SET code_tries = code_tries + 1 WHERE key = ?", (row.key,))
        left = CODE_TRIES - row.code_tries - 1
        why = f"is not the code that was sent; {counted(left, 'more try', 'more tries')}"
        return Refusal("invalid", why, path="code")
    tx.execute(
        "UPDATE notifications_mailboxes SET state = 'active', verified_at = :now, since = coalesce(since, "
        "(SELECT max(b.since) FROM notifications_mailboxes b WHERE b.person = :person), :now), "
        "code = NULL, code_until = NULL, code_tries = 0, failures = 0, last_error = NULL WHERE key = :key",
        {"now": tx.now, "key": row.key, "person": person.key},
    )
    tx.execute("DELETE FROM notifications_mailboxes WHERE person = ? AND key <> ?", (person.key, row.key))
    return None


def remove(tx: Transaction, person: int) -> bool:
    """Forget the user's addresses; returns whether there were any."""
    return tx.execute("DELETE FROM notifications_mailboxes WHERE person = ?", (person,)).rowcount > 0


# ---- how mails fare


def note_sent(tx: Transaction, mailbox: MailboxRow) -> None:
    """A mail was sent there."""
    tx.execute(
        "UPDATE notifications_mailboxes SET last_ok_at = ?, failures = 0, last_error = NULL WHERE key = ?",
        (tx.now, mailbox.key),
    )


def note_failed(tx: Transaction, mailbox: MailboxRow, why: str) -> None:
    """A mail could not be sent there, for now."""
    tx.execute("UPDATE notifications_mailboxes SET last_error = ? WHERE key = ?", (why, mailbox.key))


def note_refused(tx: Transaction, mailbox: MailboxRow, code: str, why: str) -> bool:
    """The server refused a mail for good; returns whether the mailbox counts as bounced now."""
    failures = mailbox.failures + 1
    bounced = no_such_address(code) or failures >= _MOST_FAILURES
    tx.execute(
        "UPDATE notifications_mailboxes SET failures = ?, last_error = ?, state = ? WHERE key = ?",
        (failures, why, "bounced" if bounced else mailbox.state, mailbox.key),
    )
    return bounced


def no_such_address(code: str) -> bool:
    """Whether a reply says that the recipient's address does not exist or takes no mail (RFC 3463: X.1.x is about
    addresses, of which .7 and .8 are about the sender's)."""
    number, _, enhanced = code.partition(" ")
    return number.startswith("5") and enhanced.startswith("5.1.") and enhanced not in ("5.1.7", "5.1.8")
