"""Notifications about several messages, one of which was deleted: their users' clients learn what is left of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain

import orjson

from chatnode.api import Consumer, Context, MessageDeleted, Querying, Row, Transaction, json_array, record
from chatnode_notifications.items.adding import announce
from chatnode_notifications.items.reading import mark
from chatnode_notifications.notes import UNREAD

_AT_ONCE = 25
"""In one transaction: some milliseconds."""


@record(frozen=True)
class _Item:
    """`read`: what is left of it was read, and it does not count as read yet."""

    key: int
    id: str
    person: int
    read: bool


async def follow_deleted(ctx: Context, rows: Sequence[Row]) -> None:
    """A repeat tells the same again."""
    deleted: dict[int, set[int]] = {}
    for row in rows:
        deleted.setdefault(row.conversation_key or 0, set()).add(row.subject)
    keys = await ctx.query(partial(_concerned, deleted=deleted), seconds=0)
    for start in range(0, len(keys), _AT_ONCE):
        await ctx.write(partial(_correct, keys=keys[start : start + _AT_ONCE]))


def _concerned(reader: Querying, deleted: Mapping[int, set[int]]) -> list[int]:
    """Keys of the items that tell of these messages, by conversation and seq, and of others. Each item is looked at
    once, however many messages were deleted."""
    found: list[int] = []
    for conversation, seqs in deleted.items():
        rows = reader.execute(
            "SELECT key, messages FROM notifications_items "
            "WHERE conversation = ? AND last_seq >= ? AND first_seq <= ? AND messages IS NOT NULL",
            (conversation, min(seqs), max(seqs)),
        )
        found += [key for key, listed in rows if not seqs.isdisjoint(chain(*orjson.loads(listed).values()))]
    return found


def _correct(tx: Transaction, keys: Sequence[int]) -> None:
    rows = tx.execute(
        "SELECT item.key, item.id, item.person, item.read_at IS NULL "  # noqa: S608 -- constants
        f"AND NOT EXISTS (SELECT 1 {UNREAD.found}) FROM notifications_items item "
        "WHERE item.key IN (SELECT value FROM json_each(?)) ORDER BY item.key",
        (json_array(keys),),
    ).fetchall()
    for item in (_Item(*row) for row in rows):
        is_left = announce(tx, item.key, item.person)  # if nothing is, clients know that, and it goes with the old ones
        if is_left and item.read:
            mark(tx, item.person, item.key, item.id)


CONSUMER = Consumer(
    "correcting", follow_deleted, frozenset({MessageDeleted.name}), most=200, pause=0.5, repeatable=True,
    where="EXISTS (SELECT 1 FROM notifications_items item WHERE item.conversation = log.conversation "
    "AND item.last_seq >= log.subject AND item.messages IS NOT NULL)",
)  # fmt: skip
