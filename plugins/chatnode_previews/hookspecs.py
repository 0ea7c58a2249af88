"""The hook that this plugin offers to others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from chatnode.api import Context, hookspec

PictureReducer = Callable[[bytes], Awaitable[tuple[bytes, int, int] | None]]
"""Takes a picture by strangers, of any form or none. Returns a small copy in WebP, its width and its height; None for
what is no picture that can be shown. It may take long, and raise `Refusal`."""


@hookspec
async def picture_reducer(ctx: Context) -> PictureReducer | None:
    """Offer to reduce pictures of pages. Decode them in a sandbox: they are made by strangers. Of several plugins, the
    first one reduces them; without any, previews have no pictures."""
