"""Makes small copies of pictures that another plugin has, as of pages of strangers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from secrets import token_hex

import trio

from chatnode.api import Context, hookimpl
from chatnode_attachments.images.prepared import Prepared
from chatnode_attachments.state import Attachments


@hookimpl(optionalhook=True)
async def picture_reducer(ctx: Context) -> Callable[[bytes], Awaitable[tuple[bytes, int, int] | None]]:
    """For the plugin previews, if it is there."""
    return partial(_reduce, ctx)


async def _reduce(ctx: Context, picture: bytes) -> tuple[bytes, int, int] | None:
    """The smallest thumbnail, its width and its height; None if this is no picture, or one that has none.

    Raises `Refusal("unavailable")` if the sandbox does not run.
    """
    state = ctx.state(Attachments)
    source = state.layout.work / token_hex(16)
    try:
        await trio.to_thread.run_sync(source.write_bytes, picture)
        prepared = await state.images.prepare(source, clean=False)
    finally:
        source.unlink(missing_ok=True)
    return None if prepared is None else await trio.to_thread.run_sync(_taken, prepared)


def _taken(prepared: Prepared) -> tuple[bytes, int, int] | None:
    """The content of the smallest thumbnail; the files are removed."""
    try:
        if not prepared.derived:
            return None
        found = prepared.derived[0]
        return found.path.read_bytes(), found.width, found.height
    finally:
        for each in prepared.derived:
            each.path.unlink()
