"""What is removed by itself, and what a restored backup leaves."""

from __future__ import annotations

from functools import partial

from chatnode.api import DAY_MS, Context, Reader, RestoreNote, Task, Transaction, counted, json_array, now_ms
from chatnode_notifications.settings import NotificationsSettings

_STEP = 500


async def remove_old(ctx: Context) -> str | None:
    """Remove notifications that were read long ago, those that nobody reads, and those of several messages that are all
    gone, with their deliveries."""
    settings, now = ctx.settings(NotificationsSettings), now_ms()
    find = partial(
        _old,
        read_before=now - settings.keep_read_days * DAY_MS,
        unread_before=now - settings.keep_unread_days * DAY_MS,
    )
    count = after = 0
    while keys := await ctx.query(partial(find, after=after), seconds=0):
        await ctx.write(partial(_remove, keys=keys))
        count, after = count + len(keys), keys[-1]
    return f"{counted(count, 'notification')} removed" if count else None


def _old(reader: Reader, read_before: int, unread_before: int, after: int) -> list[int]:
    rows = reader.execute(
        "SELECT item.key FROM notifications_items item WHERE item.key > :after AND (item.created_at < :unread_before "
        "OR (item.read_at IS NOT NULL AND item.read_at < :read_before) OR (item.messages IS NOT NULL AND NOT EXISTS "
        "(SELECT 1 FROM json_each(item.messages) why CROSS JOIN json_each(why.value) place CROSS JOIN messages m "
        "ON m.conversation = item.conversation AND m.seq = CAST(place.value AS INTEGER) "
        "AND m.deleted_at IS NULL))) ORDER BY item.key LIMIT :most",
        {"after": after, "read_before": read_before, "unread_before": unread_before, "most": _STEP},
    )
    return [key for (key,) in rows]


def _remove(tx: Transaction, keys: list[int]) -> None:
    tx.execute("DELETE FROM notifications_items WHERE key IN (SELECT value FROM json_each(?))", (json_array(keys),))


def after_restore(tx: Transaction, note: RestoreNote) -> None:
    """What was to be told when the backup was made has been told long ago."""
    tx.execute("UPDATE notifications_items SET due_at = NULL WHERE due_at IS NOT NULL")
    tx.execute("DELETE FROM notifications_bundles")
    tx.execute("DELETE FROM notifications_fanouts")


TASKS = (Task("remove_old", remove_old, every=86_400),)
