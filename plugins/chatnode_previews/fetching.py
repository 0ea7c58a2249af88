"""Fetches the pages that links lead to, up to `AT_A_TIME` of them together."""

from __future__ import annotations

from urllib.parse import urldefrag, urljoin, urlsplit

import attrs
import trio

from chatnode.api import Context, Metric, OutboundAnswer, OutboundError, Purpose, Task, Transaction, now_ms
from chatnode_previews import storage
from chatnode_previews.encodings import page_text
from chatnode_previews.links import may_be_fetched
from chatnode_previews.pages import MOST_SITE, PageHead, read_page, shortened
from chatnode_previews.settings import PreviewsSettings
from chatnode_previews.state import Fetching
from chatnode_previews.storage import HOUR_MS, NOTHING, PendingLink, StoredPage

AT_A_TIME = 4
MOST_REDIRECTS = 5
SECONDS = 10.0
"""For a page, with all redirects."""
PURPOSE = Purpose("previews", most_bytes=512 * 1024, types=("text/html",), at_a_time=AT_A_TIME, cut=True)
_HEADERS = (("Accept", "text/html"), ("User-Agent", "chatnode-previews"))
_REDIRECTS = frozenset((301, 302, 303, 307, 308))


async def fetch_links(ctx: Context) -> str | None:
    """Fetch what waits, as long as the node serves. A slow site holds up its own link only."""
    fetching = ctx.state(Fetching)
    async with trio.open_nursery() as nursery:
        while True:
            for link in await _pending(ctx, fetching):
                fetching.busy.add(link.address)
                nursery.start_soon(_fetch_and_settle, ctx, fetching, link)
            await fetching.wait()


async def _pending(ctx: Context, fetching: Fetching) -> list[PendingLink]:
    busy = frozenset(fetching.busy)
    room = AT_A_TIME - len(busy)
    return await ctx.read(lambda reader: storage.pending(reader, busy, room)) if room else []


async def _fetch_and_settle(ctx: Context, fetching: Fetching, link: PendingLink) -> None:
    try:
        known = await ctx.read(lambda reader: storage.known_page(reader, link.address, now_ms()))
        page = known or await _fetch(ctx, fetching, link.url)
        keep_until = None if known is not None else now_ms() + _keep_ms(ctx, page)

        def write(tx: Transaction) -> None:
            storage.settle(tx, link, page, keep_until)

        await ctx.write(write, repeatable=True)
    finally:
        fetching.busy.discard(link.address)
        fetching.wake()


def _keep_ms(ctx: Context, page: StoredPage) -> int:
    settings = ctx.settings(PreviewsSettings)
    return int((settings.keep_hours if page.site is not None else settings.keep_failures_hours) * HOUR_MS)


# ---- one page


async def _fetch(ctx: Context, fetching: Fetching, url: str) -> StoredPage:
    """What the page says; `NOTHING` if there is no page, for whatever reason."""
    ctx.count("fetches")
    try:
        answer = await _follow(ctx, urldefrag(url).url)
        page = None if answer is None else await trio.to_thread.run_sync(_read, answer, limiter=fetching.parsing)
    except OutboundError:
        return NOTHING
    except Exception as error:  # else this page would be tried again and again, and end what else is fetched
        ctx.log.error("a page cannot be read: %s", type(error).__name__)
        return NOTHING
    if answer is None or page is None:
        return NOTHING
    ctx.count("found")
    return StoredPage(page.title, page.text, page.site or _host(answer.url))


async def _follow(ctx: Context, url: str) -> OutboundAnswer | None:
    """The page at the end of the redirects; None if there is none. Raises `OutboundError`.

    Redirects are followed here, because each address must be one that a link in a message could have: a link that was
    made short may lead to one that works only once.
    """
    deadline = trio.current_time() + SECONDS
    for _ in range(MOST_REDIRECTS + 1):
        left = deadline - trio.current_time()
        if left <= 0:
            break
        answer = await ctx.outbound.request(attrs.evolve(PURPOSE, seconds=left), "GET", url, headers=_HEADERS)
        if answer.status not in _REDIRECTS:
            return answer if answer.status == 200 else None
        following = _redirected(answer)
        if following is None or not may_be_fetched(following, ctx.base_url):
            break
        url = following
    return None


def _redirected(answer: OutboundAnswer) -> str | None:
    """Where a redirect leads; None if nowhere, or from https to http."""
    location = answer.headers.get("location", "")
    try:
        # Headers are read as Latin-1; servers that send more than ASCII send UTF-8.
        url = urldefrag(urljoin(answer.url, location.encode("latin-1").decode("utf-8", "replace"))).url
        scheme = urlsplit(url).scheme
    except ValueError:
        return None
    return url if location and scheme in ("https", urlsplit(answer.url).scheme) else None


def _read(answer: OutboundAnswer) -> PageHead | None:
    return read_page(page_text(answer.body, answer.headers.get("content-type", "")))


def _host(url: str) -> str:
    host = urlsplit(url).hostname or ""
    return shortened(host.removeprefix("www."), MOST_SITE) or "?"


# ---- upkeep


async def forget_pages(ctx: Context) -> str | None:
    """Delete pages that are too old to be used."""
    count = await ctx.write(storage.forget_pages, repeatable=True)
    return f"forgot {count} pages" if count else None


TASKS = (Task("fetch", fetch_links), Task("forget", forget_pages, every=3_600))
METRICS = (Metric("fetches", "Pages that were asked for."), Metric("found", "Pages that had a preview."))
