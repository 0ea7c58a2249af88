"""Figures per day: counted from the log as it grows, and taken down from the lists and tags every hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

from chatnode.api import DAY_MS, Consumer, Context, Querying, Row, Task, Transaction, Write, counted
from chatnode_crm.contacts.events import CrmContactCreated, CrmContactDeleted


def day_of(at: int) -> int:
    """The day of a time in milliseconds: the number of days since 1970, in UTC."""
    return at // DAY_MS


async def count(ctx: Context, rows: Sequence[Row]) -> Write[object]:
    """Count contacts that were created and deleted, for each day."""
    created = Counter(day_of(row.at) for row in rows if row.kind == CrmContactCreated.name)
    deleted = Counter(day_of(row.at) for row in rows if row.kind == CrmContactDeleted.name)
    counts = [(day, created[day], deleted[day]) for day in sorted(created | deleted)]
    return partial(_add, counts=counts, upto=max(row.gid for row in rows))


def uncounted(reader: Querying) -> tuple[Counter[int], Counter[int]]:
    """Contacts that were created and deleted since, by day: the consumer is a moment late, and where no node runs it
    does not count at all. A contact's key is the gid of its creation."""
    (gid,) = reader.execute("SELECT gid FROM crm_counted").fetchone()
    if gid is None:
        return Counter(), Counter()
    there = reader.execute("SELECT created_at FROM crm_contacts WHERE key > ?", (gid,))
    created = Counter(day_of(at) for (at,) in there)
    deleted = Counter[int]()
    gone = reader.execute("SELECT contact, at FROM crm_changes WHERE gid > ? AND after IS NULL", (gid,))
    for contact, at in gone:
        deleted[day_of(at)] += 1
        created[day_of(at)] += contact > gid
    return created, deleted


def _add(tx: Transaction, counts: list[tuple[int, int, int]], upto: int) -> None:
    tx.execute("UPDATE crm_counted SET gid = ?", (upto,))
    tx.executemany(
        "INSERT INTO crm_days (day, created, deleted) VALUES (?, ?, ?) ON CONFLICT (day) DO UPDATE "
        "SET created = crm_days.created + excluded.created, deleted = crm_days.deleted + excluded.deleted",
        counts,
    )


async def take_down(ctx: Context) -> str | None:
    """Take down how many contacts lists and tags have; the last time on a day stands."""
    changed = await ctx.write(_take_down, repeatable=True)
    return f"stored the sizes of {counted(changed, 'list or tag', 'lists and tags')}" if changed else None


def _take_down(tx: Transaction) -> int:
    changed = 0
    for days, group, table, size in (
        ("crm_list_days", "list", "crm_lists", "members"),
        ("crm_tag_days", "tag", "crm_tags", "contacts"),
    ):
        changed += tx.execute(
            f"INSERT INTO {days} ({group}, day, contacts) SELECT g.key, :day, g.{size} FROM {table} g "  # noqa: S608
            f"WHERE g.{size} <> coalesce((SELECT d.contacts FROM {days} d WHERE d.{group} = g.key AND d.day <= :day "
            f"ORDER BY d.day DESC LIMIT 1), 0) "
            f"ON CONFLICT ({group}, day) DO UPDATE SET contacts = excluded.contacts",
            {"day": day_of(tx.now)},
        ).rowcount
    return changed


CONSUMER = Consumer(
    "growth",
    count,
    kinds=frozenset({CrmContactCreated.name, CrmContactDeleted.name}),
    most=5_000,
    pause=1.0,
    from_start=True,
)
TASK = Task("statistics", take_down, every=3_600)
