"""The plugin's own work, in the background."""

from __future__ import annotations

from collections.abc import Sequence

from chatnode.api import Consumer, Context, Row, Task
from chatnode_attachments.state import Attachments
from chatnode_attachments.store.sweeping import DAY_SECONDS, sweep


async def collect(ctx: Context) -> str | None:
    """Remove what nobody refers to any more."""
    done = await ctx.state(Attachments).collector.collect(ctx)
    return str(done) if done.unlinked or done.uploads or done.files else None


async def finish(ctx: Context) -> str | None:
    """Finish what has all its bytes, where the node was killed before it could."""
    done = await ctx.state(Attachments).store.finish_waiting(ctx)
    return f"finished {done} uploads" if done else None


async def remove_strays(ctx: Context) -> str | None:
    """Remove files that no row knows of."""
    here = ctx.state(Attachments)
    swept = await sweep(ctx, here.layout, here.store.run)
    return f"removed {len(swept)} stray files of {sum(each.bytes for each in swept)} bytes" if swept else None


async def wake_collector(ctx: Context, rows: Sequence[Row]) -> None:
    """Rows of files went with their messages; their bytes follow."""
    ctx.wake("collect")


TASKS = (
    Task("finish", finish, every=600),
    Task("collect", collect, every=600),
    Task("sweep", remove_strays, every=DAY_SECONDS),
)
CONSUMERS = (
    Consumer(
        "collector", wake_collector, kinds=frozenset({"message.deleted", "conversation.trimmed", "person.erased"})
    ),
)
