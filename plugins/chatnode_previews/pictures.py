"""Pictures of pages: fetched by the node, and made small by a plugin that can decode them."""

from __future__ import annotations

from chatnode.api import Context, OutboundError, Purpose, Refusal, record
from chatnode_previews.links import may_be_fetched
from chatnode_previews.redirects import follow_redirects, joined
from chatnode_previews.settings import PreviewsSettings

MOST_BYTES = 5 << 20
MOST_STORED_BYTES = 128 << 10
MOST_SIDE = 640
SECONDS = 10.0
_TYPES = ("image/jpeg", "image/png", "image/webp", "image/gif", "image/avif")
PURPOSE = Purpose("previews", seconds=SECONDS, most_bytes=MOST_BYTES, types=_TYPES, at_a_time=4)
_HEADERS = (("Accept", ", ".join(_TYPES)), ("User-Agent", "chatnode-previews"))


@record(frozen=True)
class PagePicture:
    """A small copy of a page's picture, in WebP."""

    content: bytes
    width: int
    height: int


async def fetch_picture(ctx: Context, page: str, address: str) -> PagePicture | None:
    """The picture that a page names; None without one that can be shown, for whatever reason. `page` is where the page
    came from. The picture's address must be one that a link in a message could have, like that of a page."""
    if not ctx.settings(PreviewsSettings).pictures or not ctx.is_implemented("picture_reducer"):
        return None
    url = joined(page, address)
    if url is None or not may_be_fetched(url, ctx.base_url):
        return None
    try:
        answer = await follow_redirects(ctx, PURPOSE, url, _HEADERS)
        return None if answer is None else await _reduced(ctx, answer.body)
    except (OutboundError, Refusal):
        return None
    except Exception as error:  # as of a full disk: the page has a preview all the same
        ctx.log.error("a picture could not be resized: %s", type(error).__name__)
        return None


async def _reduced(ctx: Context, picture: bytes) -> PagePicture | None:
    """What comes back is checked: a picture may have taken over what decoded it."""
    for reduce in await ctx.ask("picture_reducer"):
        if reduce is not None:
            found = await reduce(picture)
            return None if found is None or not _is_sound(*found) else PagePicture(*found)
    return None


def _is_sound(content: bytes, width: int, height: int) -> bool:
    is_webp = content[:4] == b"RIFF" and content[8:12] == b"WEBP"
    return is_webp and len(content) <= MOST_STORED_BYTES and 0 < width <= MOST_SIDE and 0 < height <= MOST_SIDE
