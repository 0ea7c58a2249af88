"""Health and metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chatnode.api import Context, Metric, Reader


def _one(sql: str) -> Callable[[Reader], int]:
    return lambda reader: reader.execute(sql).fetchone()[0]


_CONTACTS = _one("SELECT count(*) FROM crm_contacts")
_LISTS = _one("SELECT count(*) FROM crm_lists WHERE is_active = 1")
_TAGS = _one("SELECT count(*) FROM crm_tags")


async def _works(ctx: Context, *statuses: str) -> int:
    """How many works of the plugin have one of the statuses."""
    found = await ctx.as_operator().call(
        "items.query",
        collection="work",
        filter={"kind": {"_starts_with": f"{ctx.name}."}, "status": {"_in": list(statuses)}},
        group_by="status",
    )
    return sum(each["count"] for each in found["data"])


async def _contacts(ctx: Context) -> float:
    return await ctx.read(_CONTACTS)


async def _lists(ctx: Context) -> float:
    return await ctx.read(_LISTS)


async def _tags(ctx: Context) -> float:
    return await ctx.read(_TAGS)


async def _waiting(ctx: Context) -> float:
    return await _works(ctx, "waiting")


async def _running(ctx: Context) -> float:
    return await _works(ctx, "running")


async def _failed(ctx: Context) -> float:
    return await _works(ctx, "failed")


METRICS = (
    Metric("contacts", "Contacts.", _contacts),
    Metric("lists_active", "Lists that are not archived.", _lists),
    Metric("tags", "Tags.", _tags),
    Metric("works_waiting", "Work items that wait to run, such as imports.", _waiting),
    Metric("works_running", "Work items that run now.", _running),
    Metric("works_failed", "Work items that failed and are still kept.", _failed),
)


async def health(ctx: Context) -> Mapping[str, Any]:
    """Figures for the node's report of its health."""
    return {
        "contacts": await ctx.read(_CONTACTS),
        "lists": await ctx.read(_LISTS),
        "works_waiting": await _works(ctx, "waiting", "running"),
        "works_failed": await _works(ctx, "failed"),
    }
