"""The plugin's own work, in the background."""

from __future__ import annotations

from chatnode.api import Context, Task
from chatnode_attachments.state import Attachments


async def collect(ctx: Context) -> str | None:
    """Remove what nobody refers to any more."""
    done = await ctx.state(Attachments).collector.collect(ctx)
    return str(done) if done.unlinked or done.uploads or done.files else None


TASKS = (Task("collect", collect, every=600),)
