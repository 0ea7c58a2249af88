"""Figures of contacts: how they grow, which lists and tags they have, and where they are."""

from __future__ import annotations

from collections import Counter
from typing import Any

from chatnode.api import DAY_MS, Reader, folded, now_ms, read_cursor, rfc3339, rfc3339_or_none, write_cursor
from chatnode_crm.statistics.days import day_of, uncounted
from chatnode_crm.statistics.model import (
    AskGeography,
    AskUse,
    Geography,
    Growth,
    GrowthDay,
    ListFigures,
    ListFiguresPage,
    PlaceFigures,
    TagFigures,
    TagFiguresPage,
)
from chatnode_crm.tags.finding import DEFAULT_COLOR


def growth(reader: Reader, days: int) -> Growth:
    """Day by day, also those without a change. From the figures of days, so what was deleted since still counts."""
    today = day_of(now_ms())
    first = today - days + 1
    (total,) = reader.execute(
        "SELECT coalesce(sum(created - deleted), 0) FROM crm_days WHERE day < ?", (first,)
    ).fetchone()
    created_on, deleted_on = uncounted(reader)
    total += sum(created_on[day] - deleted_on[day] for day in created_on | deleted_on if day < first)
    rows = reader.execute("SELECT day, created, deleted FROM crm_days WHERE day >= ?", (first,))
    for day, created, deleted in rows.fetchall():
        created_on[day] += created
        deleted_on[day] += deleted
    found: list[GrowthDay] = []
    running = 0
    for day in range(first, today + 1):
        created, deleted = created_on[day], deleted_on[day]
        running, total = running + created, total + created - deleted
        found.append(GrowthDay(rfc3339(day * DAY_MS)[:10], created, deleted, running, total))
    return Growth(found[::-1])


def lists(reader: Reader, asked: AskUse, limit: int) -> ListFiguresPage:
    rows, cursor = _used(
        reader, asked, limit, "crm_lists", "members", "crm_list_days", "list",
        "g.is_active, g.updated_at, (SELECT max(m.added_at) FROM crm_members m WHERE m.list = g.key)",
    )  # fmt: skip
    return ListFiguresPage(
        [
            ListFigures(
                id, name, bool(is_active), count, count - before, rfc3339(updated_at),
                rfc3339_or_none(added_at),
            )
            for id, name, count, before, is_active, updated_at, added_at in rows
        ],
        cursor,
    )  # fmt: skip


def tags(reader: Reader, asked: AskUse, limit: int) -> TagFiguresPage:
    rows, cursor = _used(reader, asked, limit, "crm_tags", "contacts", "crm_tag_days", "tag", "g.color")
    return TagFiguresPage(
        [
            TagFigures(id, name, color or DEFAULT_COLOR, count, count - before)
            for id, name, count, before, color in rows
        ],
        cursor,
    )


def _used(
    reader: Reader, asked: AskUse, limit: int, table: str, size: str, days: str, group: str, more: str
) -> tuple[list[tuple[Any, ...]], str | None]:
    """Id, name, size now and before, and more columns of lists or tags, from the one with the most contacts."""
    values: dict[str, Any] = {"day": day_of(now_ms()) - asked.days, "limit": limit + 1}
    where = ""
    if (last := read_cursor(asked.after, int, int)) is not None:
        where = f"WHERE (g.{size}, g.key) < (:size, :key) "
        values |= {"size": last[0], "key": last[1]}
    found = reader.execute(
        f"SELECT g.key, g.id, g.name, g.{size}, coalesce((SELECT d.contacts FROM {days} d "  # noqa: S608 -- constants
        f"WHERE d.{group} = g.key AND d.day <= :day ORDER BY d.day DESC LIMIT 1), 0), {more} "
        f"FROM {table} g {where}ORDER BY g.{size} DESC, g.key DESC LIMIT :limit",
        values,
    ).fetchall()
    shown = found[:limit]
    cursor = write_cursor(shown[-1][3], shown[-1][0]) if len(found) > limit else None
    return [row[1:] for row in shown], cursor


def geography(reader: Reader, asked: AskGeography) -> Geography:
    """Places that differ in case and accents alone are one, in the writing that most contacts have."""
    columns = "country, city" if asked.by == "city" else "country, NULL"
    rows = reader.execute(f"SELECT {columns}, count(*) FROM crm_contacts GROUP BY 1, 2").fetchall()  # noqa: S608
    counts: Counter[tuple[str, str]] = Counter()
    spelt: dict[tuple[str, str], Counter[tuple[str | None, str | None]]] = {}
    total = unknown = 0
    wanted = folded(asked.country).strip() if asked.country is not None else None
    for country, city, count in rows:
        total += count
        if wanted is not None and folded(country or "").strip() != wanted:
            continue
        if (city if asked.by == "city" else country) is None:
            unknown += count
            continue
        key = (folded(country or "").strip(), folded(city or "").strip())
        counts[key] += count
        spelt.setdefault(key, Counter())[country, city] += count
    places = [
        PlaceFigures(count, round(100 * count / total, 2), *spelt[key].most_common(1)[0][0])
        for key, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[: asked.limit]
    ]
    return Geography(places, unknown, total)
