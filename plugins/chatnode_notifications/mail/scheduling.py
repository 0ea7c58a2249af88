"""Which items go into which mail, and when it is due."""

from __future__ import annotations

from collections.abc import Sequence

from chatnode.api import DAY_MS, HOUR_MS, Querying, Transaction, json_array
from chatnode_notifications.mail.digests import latest_slot, next_slot
from chatnode_notifications.mail.rows import SECOND_MS, add_mail
from chatnode_notifications.notes import MAY_BE_TOLD, TO_TELL, NewItem
from chatnode_notifications.preferences.stored import read_digest
from chatnode_notifications.preferences.zones import zone_or_utc
from chatnode_notifications.settings import NotificationsSettings

_PEOPLE_AT_ONCE = 4
"""For how many users mails are made in one transaction, which must be short."""
_FARTHEST_DIGEST_MS = 9 * DAY_MS
"""A digest that is due later than the next week's was computed before the clock was set back."""

# ---- instant mails


def note_new_items(tx: Transaction, items: Sequence[NewItem]) -> None:
    """New items wait for a mail, if their users want instant ones."""
    wanted = _want_instant(tx, {item.person for item in items})
    for item in items:
        if item.person in wanted:
            _wait(tx, item)


def _want_instant(reader: Querying, people: set[int]) -> set[int]:
    rows = reader.execute(
        "SELECT p.person FROM notifications_people p JOIN notifications_mailboxes b ON b.person = p.person "
        "WHERE p.mail = 'instant' AND b.state = 'active' AND p.person IN (SELECT value FROM json_each(?))",
        (json_array(people),),
    )
    return {person for (person,) in rows}


def _wait(tx: Transaction, item: NewItem) -> None:
    """All items of a conversation that wait are due together, when its newest one is."""
    here = (item.person, item.conversation or 0)
    where = "person = ? AND conversation = ? AND mail IS NULL"
    (first,) = tx.execute(
        f"SELECT min(first_at) FROM notifications_mail_items WHERE {where}",  # noqa: S608 -- a constant
        here,
    ).fetchone()
    tx.execute(
        "INSERT INTO notifications_mail_items (item, person, conversation, first_at, last_at) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING",
        (item.key, *here, item.created_at if first is None else first, item.created_at),
    )
    tx.execute(
        f"UPDATE notifications_mail_items SET last_at = ? WHERE {where} AND last_at < ?",  # noqa: S608
        (item.created_at, *here, item.created_at),
    )


def drop_old_mails(tx: Transaction, settings: NotificationsSettings) -> None:
    """What could not be sent for `max_age_hours` is no news any more."""
    oldest = tx.now - settings.max_age_hours * HOUR_MS
    tx.execute("DELETE FROM notifications_mail_items WHERE mail IS NULL AND last_at < ?", (oldest,))
    tx.execute(
        "UPDATE notifications_mails SET state = CASE WHEN attempts > 0 THEN 'failed' ELSE 'expired' END, ended_at = ? "
        "WHERE state = 'pending' AND made_at < ?",
        (tx.now, oldest),
    )


def make_instant_mails(tx: Transaction, settings: NotificationsSettings) -> bool:
    """One mail for each user with items that are due; returns whether there may be more users."""
    people = [
        person
        for (person,) in tx.execute(
            f"SELECT DISTINCT person FROM notifications_mail_items WHERE {_DUE} ORDER BY person LIMIT :most",  # noqa: S608
            {**_due(tx, settings), "most": _PEOPLE_AT_ONCE},
        ).fetchall()
    ]
    for person in people:
        mail = add_mail(tx, person, "instant")
        tx.execute(
            "UPDATE notifications_mail_items SET mail = :mail WHERE item IN ("  # noqa: S608 -- a constant
            f"SELECT item FROM notifications_mail_items WHERE person = :person AND ({_DUE}) "
            "ORDER BY item DESC LIMIT :most)",
            {**_due(tx, settings), "mail": mail, "person": person, "most": settings.mail_items},
        )
    return len(people) == _PEOPLE_AT_ONCE


_DUE = "mail IS NULL AND last_at <= :last OR mail IS NULL AND first_at <= :first OR mail IS NULL AND last_at > :ahead"
"""The last of these: the clock was set back."""


def _due(tx: Transaction, settings: NotificationsSettings) -> dict[str, int]:
    return {
        "last": tx.now - settings.mail_wait_seconds * SECOND_MS,
        "first": tx.now - settings.mail_longest_wait_seconds * SECOND_MS,
        "ahead": tx.now + DAY_MS,
    }


# ---- digests


def digest_changed(tx: Transaction, person: int) -> None:
    """Compute again when the user's next digest is due, and what the next mail tells of. Call it after every change of
    their `mail`, `digest` or `zone`, in the same transaction."""
    row = tx.execute(
        "SELECT mail, digest, zone, next_digest_at FROM notifications_people WHERE person = ?", (person,)
    ).fetchone()
    if row is None:
        return
    mail, digest, zone, before = row
    due = next_slot(read_digest(digest), zone_or_utc(zone), tx.now).at if mail == "digest" else None
    tx.execute("UPDATE notifications_people SET next_digest_at = ? WHERE person = ?", (due, person))
    if due is not None and before is None:
        # The first digest tells of what waits for an instant email, and of nothing older.
        tx.execute(
            "UPDATE notifications_mailboxes SET since = coalesce((SELECT min(w.first_at) "
            "FROM notifications_mail_items w LEFT JOIN notifications_mails m ON m.key = w.mail "
            "WHERE w.person = :person AND (m.key IS NULL OR m.state = 'pending')), :now) WHERE person = :person",
            {"person": person, "now": tx.now},
        )
    if mail != "off":
        _replace_mails(tx, person, mail)


def _replace_mails(tx: Transaction, person: int, wanted: str) -> None:
    """A mail of the other kind that could not be sent yet is not sent; one of the wanted kind tells of its items."""
    unwanted = (
        "(SELECT key FROM notifications_mails WHERE person = :person AND state = 'pending' "
        "AND kind IN ('instant', 'digest') AND kind <> :wanted)"
    )
    values = {"person": person, "wanted": wanted, "now": tx.now}
    if wanted == "instant":
        tx.execute(
            "UPDATE notifications_mail_items SET mail = NULL, first_at = :now, last_at = :now "  # noqa: S608
            f"WHERE mail IN {unwanted}",
            values,
        )
    tx.execute(
        f"UPDATE notifications_mails SET state = 'suppressed', ended_at = :now WHERE key IN {unwanted}",  # noqa: S608
        values,
    )


def make_digests(tx: Transaction, settings: NotificationsSettings) -> bool:
    """A mail for each user whose digest is due and has something to tell; returns whether there may be more users."""
    rows = tx.execute(
        "SELECT person, mail, digest, zone, next_digest_at FROM notifications_people "
        "WHERE next_digest_at <= :now OR next_digest_at > :ahead ORDER BY next_digest_at LIMIT :most",
        {"now": tx.now, "ahead": tx.now + _FARTHEST_DIGEST_MS, "most": _PEOPLE_AT_ONCE},
    ).fetchall()
    for person, mail, digest, zone, due in rows:
        wanted, here = read_digest(digest), zone_or_utc(zone)
        if mail == "digest" and due <= tx.now:
            _make_digest(tx, person, latest_slot(wanted, here, tx.now).name, settings.mail_items)
        after = next_slot(wanted, here, tx.now).at if mail == "digest" else None
        tx.execute("UPDATE notifications_people SET next_digest_at = ? WHERE person = ?", (after, person))
    return len(rows) == _PEOPLE_AT_ONCE


def _make_digest(tx: Transaction, person: int, slot: str, most: int) -> None:
    """Nothing if the slot has had its digest, or there is nothing to tell."""
    taken = tx.execute("SELECT 1 FROM notifications_mails WHERE person = ? AND slot = ?", (person, slot)).fetchone()
    values = {"person": person, "most": most, "now": tx.now}
    items = [] if taken is not None else tx.execute(_UNTOLD, values).fetchall()
    if not items:
        return
    mail = add_mail(tx, person, "digest", slot=slot)
    tx.executemany(
        "INSERT INTO notifications_mail_items (item, person, conversation, mail, first_at, last_at) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (item) DO UPDATE SET mail = excluded.mail",
        [(item, person, conversation or 0, mail, at, at) for item, conversation, at in items],
    )


_UNTOLD = (
    f"SELECT item.key, item.conversation, item.created_at FROM {TO_TELL} "  # noqa: S608 -- constants
    "JOIN notifications_mailboxes b ON b.person = item.person AND b.state = 'active' AND item.created_at >= b.since "
    "LEFT JOIN notifications_mail_items w ON w.item = item.key LEFT JOIN notifications_mails mail ON mail.key = w.mail "
    f"WHERE item.person = :person AND {MAY_BE_TOLD} AND item.mailed_at IS NULL "
    "AND (mail.key IS NULL OR mail.state <> 'pending') ORDER BY item.key DESC LIMIT :most"
)
"""The newest items that no mail has told of, and none is about to: also those of a digest that failed. Only those that
may be told now: others, as of a conversation that is muted, must not stand in their way."""


# ---- when to look again


def next_due(reader: Querying, settings: NotificationsSettings, now: int) -> int | None:
    """When the next mail is due, in milliseconds; None if none is. What is farther away than can be is due now."""
    *mails, digest = reader.execute(
        "SELECT (SELECT min(due_at) FROM notifications_mails WHERE state = 'pending'), "
        "(SELECT min(last_at) FROM notifications_mail_items WHERE mail IS NULL) + :wait, "
        "(SELECT min(first_at) FROM notifications_mail_items WHERE mail IS NULL) + :longest, "
        "(SELECT min(next_digest_at) FROM notifications_people WHERE next_digest_at IS NOT NULL)",
        {
            "wait": settings.mail_wait_seconds * SECOND_MS,
            "longest": settings.mail_longest_wait_seconds * SECOND_MS,
        },
    ).fetchone()
    found = [now if due > now + DAY_MS else due for due in mails if due is not None]
    if digest is not None:
        found.append(now if digest > now + _FARTHEST_DIGEST_MS else digest)
    return min(found, default=None)
