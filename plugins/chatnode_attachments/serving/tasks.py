"""What runs beside the downloads."""

from __future__ import annotations

import trio

from chatnode.api import Context, Task
from chatnode_attachments.state import Attachments

WRITE_SECONDS = 30


async def _write_counts(ctx: Context) -> None:
    while True:
        await trio.sleep(WRITE_SECONDS)
        await ctx.state(Attachments).counts.write(ctx)


COUNTING = Task("counts", _write_counts)
