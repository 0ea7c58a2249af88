"""Following redirects, by hand."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urldefrag, urljoin, urlsplit

import trio

from chatnode.api import Context, OutboundAnswer, Purpose
from chatnode_previews.links import may_be_fetched

MOST_REDIRECTS = 5
_REDIRECTS = frozenset((301, 302, 303, 307, 308))


async def follow_redirects(
    ctx: Context, purpose: Purpose, url: str, headers: Sequence[tuple[str, str]]
) -> OutboundAnswer | None:
    """What is at the end of the redirects; None if there is none. Raises `OutboundError`.

    Redirects are followed here, because each address must be one that a link in a message could have: a link that was
    made short may lead to one that works only once.
    """
    deadline = trio.current_time() + purpose.seconds
    left = None
    for _ in range(MOST_REDIRECTS + 1):
        answer = await ctx.outbound.request(purpose, "GET", url, headers=headers, within=left)
        if answer.status not in _REDIRECTS:
            return answer if answer.status == 200 else None
        following = joined(answer.url, _location(answer))
        if following is None or not may_be_fetched(following, ctx.base_url):
            break
        url, left = following, deadline - trio.current_time()
        if left <= 0:
            break
    return None


def _location(answer: OutboundAnswer) -> str:
    """Headers are read as Latin-1; servers that send more than ASCII send UTF-8."""
    return answer.headers.get("location", "").encode("latin-1").decode("utf-8", "replace")


def joined(base: str, address: str) -> str | None:
    """Where an address in an answer from `base` leads; None if nowhere, or from https to http."""
    try:
        url = urldefrag(urljoin(base, address)).url
        scheme = urlsplit(url).scheme
    except ValueError:
        return None
    return url if address and scheme in ("https", urlsplit(base).scheme) else None
