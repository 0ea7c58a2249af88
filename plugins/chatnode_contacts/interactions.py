"""How much users talk with each other: kept up by reading the log, so that posting a message costs nothing more.

What counts is a message in a direct conversation, for both of its people. What is said in groups is said to all, and
counts for nobody.

The rank of an entry says "as much as one message sent at this time": with the half-life h, messages at t1, t2, … have
the rank h · log2(2^(t1/h) + 2^(t2/h) + …). So the order of two entries does not change while nobody talks, and no row
is written but that of who does. What it is worth now is 2^((rank - now) / h).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from math import log2

import orjson

from chatnode.api import Consumer, Context, MessagePosted, Reader, Row, Transaction, Write
from chatnode_contacts.settings import ContactsSettings

Talked = dict[int, tuple[list[int], list[int]]]
"""By the key of the conversation: gids and times of the messages, in their order."""


def rank_after(rank: int, times: Sequence[int], half_life: float) -> int:
    """The rank with more messages, sent at these times. All in milliseconds; 0 is the rank of no message."""
    terms = [rank, *times] if rank else times
    newest = max(terms)
    return round(newest + half_life * log2(sum([2.0 ** ((term - newest) / half_life) for term in terms])))


def weight_of(rank: int, now: int, half_life: float) -> float:
    """How many messages, sent now, are as much; a thousandth is the least that is told, and 2⁴⁰ the most: a rank may
    be far ahead, if the clock was, or if the half-life was longer."""
    return round(2.0 ** min((rank - now) / half_life, 40.0), 3)


async def consume(ctx: Context, rows: Sequence[Row]) -> Write[object] | None:
    """Count messages: what is returned writes each entry once, however many there are."""
    talked: Talked = defaultdict(lambda: ([], []))
    for row in rows:
        if row.conversation_key is not None:
            gids, times = talked[row.conversation_key]
            gids.append(row.gid)
            times.append(row.at)
    updates = await ctx.read(lambda reader: _updates(reader, talked, ctx.settings(ContactsSettings).half_life_ms))

    def write(tx: Transaction) -> None:  # not for an entry that was created again meanwhile
        tx.executemany(
            "UPDATE contacts_entries SET interacted_at = CASE WHEN interacted_at > ?1 THEN interacted_at ELSE ?1 END, "
            "rank = ?2, counted_gid = ?3 "  # not if it was created again meanwhile
            "WHERE key = ?4 AND counted_gid = ?5 AND removed_at IS NULL",
            updates,
        )

    return write if updates else None


def _updates(reader: Reader, talked: Talked, half_life: float) -> list[tuple[int, int, int, int, int]]:
    """Values for the statement above. A message that an entry has counted before is not counted again."""
    updates: list[tuple[int, int, int, int, int]] = []
    for key, conversation, rank, counted in _entries(reader, list(talked)):
        gids, times = talked[conversation]
        new = times[bisect_right(gids, counted) :]
        if new:
            updates.append((new[-1], rank_after(rank, new, half_life), gids[-1], key, counted))
    return updates


def _entries(reader: Reader, conversations: list[int]) -> list[tuple[int, int, int, int]]:
    """Entries of the people of direct conversations of each other: key, conversation, rank, counted_gid."""
    return reader.execute(
        "SELECT e.key, c.key, e.rank, e.counted_gid FROM json_each(?) j "
        "CROSS JOIN conversations c ON c.key = j.value AND c.kind = 'direct' "
        "CROSS JOIN members mine ON mine.conversation = c.key "
        "CROSS JOIN members other ON other.conversation = c.key AND other.person <> mine.person "
        "CROSS JOIN contacts_entries e ON e.owner = mine.person AND e.contact = other.person "
        "WHERE e.removed_at IS NULL",
        (orjson.dumps(conversations).decode(),),
    ).fetchall()


CONSUMER = Consumer(
    "interactions",
    consume,
    frozenset({MessagePosted.name}),
    most=1_000,
    pause=2.0,  # under load: few, large batches
    where="EXISTS (SELECT 1 FROM contacts_entries e WHERE e.owner = log.actor) "
    "OR EXISTS (SELECT 1 FROM contacts_entries e WHERE e.contact = log.actor)",
    repeatable=True,
)
