"""The jobs: lists that are not used any more are archived, and rows of lists and tags that were deleted removed."""

from __future__ import annotations

from chatnode.api import DAY_MS, Context, Transaction, counted, now_ms
from chatnode_crm.lists.changing import archive_list
from chatnode_crm.lists.finding import COLUMNS, ListRow
from chatnode_crm.removals import remove_old
from chatnode_crm.settings import CrmSettings
from chatnode_crm.tombstones import AT_ONCE, is_swept, sweep

_AT_ONCE = 100

_IDLE = "l.active_at < :before"
# A campaign that was restored has its time again.
_OVER = "l.kind = 'campaign' AND l.stage <> 'execution' AND coalesce(l.restored_at, l.created_at) < :before"


async def archive_unused(ctx: Context) -> str | None:
    """Archive lists that have not changed for long, and campaigns that are over; the audit log says which."""
    settings = ctx.settings(CrmSettings)
    idle = await _archive(ctx, _IDLE, settings.idle_list_days, "idle")
    over = await _archive(ctx, _OVER, settings.campaign_days, "campaign")
    return f"archived {counted(idle, 'idle list')} and {counted(over, 'campaign')}" if idle or over else None


async def _archive(ctx: Context, condition: str, days: int, reason: str) -> int:
    if not days:
        return 0
    before, count = now_ms() - days * DAY_MS, 0

    def write(tx: Transaction) -> int:
        found = tx.execute(
            f"SELECT {COLUMNS} FROM crm_lists l WHERE l.is_active = 1 AND {condition} LIMIT :most",  # noqa: S608
            {"before": before, "most": _AT_ONCE},
        ).fetchall()
        for row in (ListRow(*each) for each in found):
            archive_list(tx, row, actor=None)
            ctx.audit(tx, "list_archived", row.id, reason=reason, days=days)
        return len(found)

    while archived := await ctx.write(write):
        count += archived
    return count


async def remove_rows(ctx: Context) -> str | None:
    """Remove the rows of lists and tags that were deleted, and what is noted of contacts that were taken off long ago;
    a few at a time."""
    until = now_ms() - ctx.settings(CrmSettings).changes_days * DAY_MS
    while await ctx.write(lambda tx: remove_old(tx, until, AT_ONCE)):
        pass
    count = 0
    while True:
        removed, is_done = await ctx.write(lambda tx: (sweep(tx, AT_ONCE), is_swept(tx)))
        count += removed
        if is_done:
            return f"removed {counted(count, 'row')} of deleted lists and tags" if count else None
