"""What must hold of lists and tags: that their contacts exist and are counted as they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from chatnode.api import Context, Reader, Transaction, counted

_GROUPS = (("list", "crm_lists", "members", "crm_members"), ("tag", "crm_tags", "contacts", "crm_taggings"))


def check(reader: Reader, _: Path) -> list[str]:
    """A line for each problem."""
    return list(_problems(reader))


def _problems(reader: Reader) -> Iterator[str]:
    for kind, table, size, pairs in _GROUPS:
        (wrong,) = reader.execute(f"SELECT count(*) FROM {table} g WHERE {_miscounted(kind, size, pairs)}").fetchone()  # noqa: S608 -- constants
        if wrong:
            yield f"wrong number of contacts in {counted(wrong, kind)}"
        (lost,) = reader.execute(f"SELECT count(*) FROM {pairs} p WHERE {_lost(kind, table)}").fetchone()  # noqa: S608 -- constants
        if lost:
            yield f"no contact or {kind} for {counted(lost, 'row')} of {pairs}"


def _lost(kind: str, table: str) -> str:
    """Rows of a list or tag that was deleted are swept later."""
    return (
        "NOT EXISTS (SELECT 1 FROM crm_contacts c WHERE c.key = p.contact) OR "  # noqa: S608 -- constants
        f"(NOT EXISTS (SELECT 1 FROM {table} g WHERE g.key = p.{kind}) AND NOT EXISTS "
        f"(SELECT 1 FROM crm_tombstones t WHERE t.kind = '{kind}' AND t.key = p.{kind} AND t.swept = 0))"
    )


def _miscounted(kind: str, size: str, pairs: str) -> str:
    return f"g.{size} <> (SELECT count(*) FROM {pairs} p WHERE p.{kind} = g.key)"  # noqa: S608 -- constants


async def repair(ctx: Context) -> dict[str, int]:
    """Remove rows of contacts, lists and tags that do not exist, and count again."""
    return {name: count for name, count in (await ctx.write(_repair)).items() if count}


def _repair(tx: Transaction) -> dict[str, int]:
    counts: dict[str, int] = {}
    for kind, table, size, pairs in _GROUPS:
        counts[f"{kind}_rows"] = tx.execute(f"DELETE FROM {pairs} AS p WHERE {_lost(kind, table)}").rowcount  # noqa: S608 -- constants
        counts[f"{kind}_counts"] = tx.execute(
            f"UPDATE {table} AS g SET {size} = (SELECT count(*) FROM {pairs} p WHERE p.{kind} = g.key) "  # noqa: S608 -- constants
            f"WHERE {_miscounted(kind, size, pairs)}"
        ).rowcount
    return counts
