"""Who gets a broadcast: found once, in one snapshot of the database, and stored before the first message."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence

import orjson

from chatnode.api import Asker, Context, Querying, Reader, Transaction, Work, json_array, zone_of
from chatnode_crm.broadcasts.rows import BroadcastRow, begin_sending
from chatnode_crm.segments.collection import asker_for
from chatnode_crm.segments.selection import Selection, keys_page
from chatnode_crm.segments.through import lists_through

_PAGE = 10_000


async def store_audience(ctx: Context, work: Work, broadcast: BroadcastRow) -> None:
    """Store the audience. If it is interrupted, the next attempt finds it again and drops what was stored."""
    asker, selection = asker_for(ctx), Selection(**orjson.loads(broadcast.selection))
    keys, lists = await ctx.query(
        lambda reader: (_all_keys(reader, asker, selection), lists_through(reader, selection)), seconds=0
    )
    for size in work.slices():
        if not await work.write(lambda tx, size=size: _drop(tx, broadcast.key, size)):
            break
    done = 0
    for size in work.slices():
        part = keys[done : done + size]
        if not part:
            break
        done += len(part)
        await work.write(lambda tx, part=part: _add(tx, broadcast, part))
    await work.write(lambda tx: _stored(tx, work, broadcast, lists, len(keys)))


def lists_of(reader: Querying, broadcast: BroadcastRow) -> list[int]:
    """The lists through which the broadcast reaches its audience: who opted out of one of them does not get it."""
    rows = reader.execute("SELECT list FROM crm_broadcast_lists WHERE broadcast = ? ORDER BY list", (broadcast.key,))
    return [key for (key,) in rows]


def _all_keys(reader: Reader, asker: Asker, selection: Selection) -> array[int]:
    keys = array("q")
    while True:
        page = keys_page(reader, asker, selection, keys[-1] if keys else 0, _PAGE)
        keys.extend(page)
        if len(page) < _PAGE:
            return keys


def _drop(tx: Transaction, broadcast: int, most: int) -> int:
    return tx.execute(
        "DELETE FROM crm_deliveries WHERE broadcast = :key AND contact IN "
        "(SELECT contact FROM crm_deliveries WHERE broadcast = :key LIMIT :most)",
        {"key": broadcast, "most": most},
    ).rowcount


def _add(tx: Transaction, broadcast: BroadcastRow, contacts: Sequence[int]) -> None:
    """Contacts that were deleted since are left out."""
    rows = tx.execute(
        "SELECT c.key, json_extract(c.custom, :path) FROM crm_contacts c "
        "WHERE c.key IN (SELECT value FROM json_each(:keys))",
        {"path": f'$."{broadcast.zone_field or 0}"', "keys": json_array(contacts)},
    ).fetchall()
    tx.executemany(
        "INSERT INTO crm_deliveries (broadcast, contact, state, zone) VALUES (?, ?, 'waiting', ?)",
        [(broadcast.key, contact, _zone(zone)) for contact, zone in rows],
    )


def _zone(found: object) -> str | None:
    return found if isinstance(found, str) and zone_of(found) is not None else None


def _stored(tx: Transaction, work: Work, broadcast: BroadcastRow, lists: Collection[int], total: int) -> None:
    tx.executemany(
        "INSERT INTO crm_broadcast_lists (broadcast, list) VALUES (?, ?) ON CONFLICT DO NOTHING",
        [(broadcast.key, key) for key in lists],
    )
    begin_sending(tx, broadcast)
    work.note(tx, done=0, total=total)
