"""Bringing the members of dynamic lists up to date, with an event for each contact that has entered or left.

A list is checked every hour, unless nothing has happened since that could change who matches. The differences are found
by a reader and written in slices, each of which changes only what is still different: an event is recorded if and only
if the member was added or removed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal

from chatnode.api import DAY_MS, Asker, Context, Reader, Refusal, Task, Transaction, Work, WorkKind, counted
from chatnode_crm.contacts.subjects import pack_many
from chatnode_crm.lists.finding import COLUMNS, ListRow, list_by_key
from chatnode_crm.lists.membership import put_many, take_many
from chatnode_crm.segments.collection import asker_for
from chatnode_crm.segments.events import CrmListEntered, CrmListLeft
from chatnode_crm.segments.matching import matching_sql
from chatnode_crm.segments.saving import broken, filter_of
from chatnode_crm.segments.uses import happened_since, head_of, uses_of
from chatnode_crm.settings import CrmSettings

Change = Literal["entered", "left"]
CHANGES: tuple[Change, ...] = ("left", "entered")
_PAGE = 10_000
"""Differences that are found with one query."""

WORK, TASK = "segment", "segments"


def start_check(ctx: Context, tx: Transaction, row: ListRow) -> str:
    """Start to bring the members of a dynamic list up to date; returns the id of the work."""
    return ctx.start_work(tx, WORK, {"list": row.key}, title=f"Update the members of {row.name}", resource=row.id)


async def check_all(ctx: Context) -> str | None:
    """Start a check of each dynamic list that may have other members now."""
    asker = asker_for(ctx)
    rows = await ctx.read(_segments)
    found = [await _look(ctx, asker, row) for row in rows]
    parts = [f"{found.count(each)} {each}" for each in ("different", "broken") if each in found]
    return f"{', '.join(parts)} of {counted(len(rows), 'dynamic list')}" if parts else None


def _segments(reader: Reader) -> list[ListRow]:
    found = reader.execute(
        f"SELECT {COLUMNS} FROM crm_lists l WHERE l.kind = 'dynamic' AND l.is_active = 1 ORDER BY l.key"  # noqa: S608
    )
    return [ListRow(*row) for row in found.fetchall()]


async def _look(ctx: Context, asker: Asker, row: ListRow) -> str:
    """Whether the members of a list are `same` or `different` from what they were, or its filter is `broken`."""
    epoch = ctx.epoch

    def look(reader: Reader) -> tuple[str, int]:
        if broken(reader, asker, row) is not None:
            return "broken", 0
        head = head_of(reader)
        if not _is_due(reader, asker, row, epoch):
            return "same", 0
        different = any(differences(reader, asker, row, change, 0, 1) for change in CHANGES)
        return ("different", 0) if different else ("same", head)

    try:
        result, head = await ctx.query(look, seconds=ctx.settings(CrmSettings).segment_seconds)
    except Refusal as refusal:
        ctx.log.warning("list %s could not be checked: %s", row.id, refusal.code)
        return "broken"
    if result == "different":
        await ctx.write(lambda tx: start_check(ctx, tx, row))
    elif head:
        await ctx.write(lambda tx: _mark(tx, row, head, epoch))
    return result


def _is_due(reader: Reader, asker: Asker, row: ListRow, epoch: str) -> bool:
    """Once a day in any case."""
    last = reader.execute(
        "SELECT checked_at, checked_gid FROM crm_segments WHERE list = ? AND epoch = ?", (row.key, epoch)
    ).fetchone()
    if last is None or last[0] < asker.now - DAY_MS:
        return True
    uses = uses_of(reader, filter_of(row))
    return uses.relative or happened_since(reader, last[1], uses)


# ---- the work


async def update_members(ctx: Context, work: Work) -> Mapping[str, Any]:
    """Let the members of a dynamic list be those that its filter matches now. May begin again from the start.

    If the list is given another filter meanwhile, this ends, as that has started a work of its own.
    """
    key = work.arguments["list"]
    done: dict[str, int] = dict.fromkeys(CHANGES, 0)
    row, head = await ctx.read(lambda reader: (list_by_key(reader, key), head_of(reader)))
    if row is None or row.filter is None:
        return done
    sizes = work.slices(500)
    for change in CHANGES:
        async for keys in _pages(ctx, row, change):
            while keys:
                size = next(sizes)
                part, keys = keys[:size], keys[size:]
                written = await work.write(partial(_apply, row=row, change=change, keys=part))
                if written is None:
                    return done
                done[change] += written
    await work.write(lambda tx: _mark(tx, row, head, ctx.epoch))
    return done


async def _pages(ctx: Context, row: ListRow, change: Change) -> AsyncIterator[list[int]]:
    asker, seconds, after = asker_for(ctx), ctx.settings(CrmSettings).segment_seconds, 0
    while True:
        find = partial(differences, asker=asker, row=row, change=change, after=after, limit=_PAGE)
        keys = await ctx.query(find, seconds=seconds)
        yield keys
        if len(keys) < _PAGE:
            return
        after = keys[-1]


def differences(reader: Reader, asker: Asker, row: ListRow, change: Change, after: int, limit: int) -> list[int]:
    """The keys of contacts above `after` that match and are no members, or the other way round, ascending."""
    found = matching_sql(reader, asker, filter_of(row))
    values = {**found.values, "list": row.key, "after_key": after, "most": limit}
    if change == "entered":
        sql = (
            f"{found.sql} AND item.key > :after_key AND NOT EXISTS "  # noqa: S608
            "(SELECT 1 FROM crm_members m WHERE m.list = :list AND m.contact = item.key) "
            "ORDER BY item.key LIMIT :most"
        )
    else:
        sql = (
            "SELECT m.contact FROM crm_members m WHERE m.list = :list AND m.contact > :after_key "  # noqa: S608
            f"AND m.contact NOT IN ({found.sql}) ORDER BY m.contact LIMIT :most"
        )
    return [key for (key,) in reader.execute(sql, values).fetchall()]


def _apply(tx: Transaction, row: ListRow, change: Change, keys: Sequence[int]) -> int | None:
    """Add or remove members; returns how many, or None if the list is another one by now."""
    if not _is_the_same(tx, row):
        return None
    if change == "entered":
        changed, event = put_many(tx, row.key, keys, actor=None), CrmListEntered
    else:
        changed, event = take_many(tx, row.key, keys, actor=None), CrmListLeft
    tx.record_many(event, pack_many(row.key, changed))
    return len(changed)


def _is_the_same(tx: Transaction, row: ListRow) -> bool:
    now = list_by_key(tx, row.key)
    return now is not None and now.filter == row.filter and now.is_active


def _mark(tx: Transaction, row: ListRow, gid: int, epoch: str) -> None:
    if not _is_the_same(tx, row):
        return
    tx.execute(
        "INSERT INTO crm_segments (list, checked_at, checked_gid, epoch) VALUES (?, ?, ?, ?) ON CONFLICT (list) "
        "DO UPDATE SET checked_at = excluded.checked_at, checked_gid = excluded.checked_gid, epoch = excluded.epoch",
        (row.key, tx.now, gid, epoch),
    )


def _every(settings: CrmSettings) -> float:
    return settings.segment_minutes * 60


TASKS = (Task(TASK, check_all, every=_every),)
WORKS = (WorkKind(WORK, update_members, "Update the members of a dynamic list"),)
