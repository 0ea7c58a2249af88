"""Forgetting old mails and codes, and what a restored backup had pending."""

from __future__ import annotations

from chatnode.api import DAY_MS, Context, RestoreNote, Transaction
from chatnode_notifications.mail.scheduling import digest_changed
from chatnode_notifications.settings import NotificationsSettings

_AT_ONCE = 1_000


async def tidy(ctx: Context) -> str | None:
    """The daily job. Items that no mail has told of yet stay unread, and are not its business."""
    days = ctx.settings(NotificationsSettings).mail_keep_days
    removed = 0
    while gone := await ctx.write(lambda tx: _remove_old(tx, tx.now - days * DAY_MS), repeatable=True):
        removed += gone
    return f"{removed} old emails and codes removed" if removed else None


def _remove_old(tx: Transaction, before: int) -> int:
    """Up to 1,000 rows of each kind; returns how many."""
    statements = (
        ("notifications_mails", "state <> 'pending' AND ended_at < ?", before),
        ("notifications_mail_codes", "at < ?", tx.now - DAY_MS),
        ("notifications_mailboxes", "state = 'pending' AND coalesce(code_until, added_at) < ?", tx.now - DAY_MS),
    )
    return sum(
        tx.execute(
            f"DELETE FROM {table} WHERE key IN (SELECT key FROM {table} WHERE {old} LIMIT {_AT_ONCE})",  # noqa: S608
            (at,),
        ).rowcount
        for table, old, at in statements
    )


def after_restore(tx: Transaction, note: RestoreNote) -> None:
    """What was to be sent when the backup was made has long been sent, or is no news any more."""
    tx.execute("UPDATE notifications_mails SET state = 'expired', ended_at = ? WHERE state = 'pending'", (tx.now,))
    tx.execute("DELETE FROM notifications_mail_items WHERE mail IS NULL")
    tx.execute("UPDATE notifications_mailboxes SET code = NULL, code_until = NULL")
    tx.execute("UPDATE notifications_mailboxes SET since = ? WHERE since IS NOT NULL", (tx.now,))
    people = tx.execute("SELECT person FROM notifications_people WHERE next_digest_at IS NOT NULL").fetchall()
    for (person,) in people:
        digest_changed(tx, person)
