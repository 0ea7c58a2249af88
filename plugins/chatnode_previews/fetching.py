"""Fetches the pages that links lead to, up to `AT_A_TIME` of them together."""

from __future__ import annotations

from urllib.parse import urldefrag, urlsplit

import trio

from chatnode.api import (
    HOUR_MS,
    Context,
    Metric,
    OutboundAnswer,
    OutboundError,
    Paused,
    Purpose,
    Task,
    Transaction,
    counted,
    now_ms,
)
from chatnode_previews import storage
from chatnode_previews.encodings import page_text
from chatnode_previews.pages import MOST_SITE, PageHead, read_page, shortened
from chatnode_previews.pictures import fetch_picture
from chatnode_previews.redirects import follow_redirects
from chatnode_previews.settings import PreviewsSettings
from chatnode_previews.state import Fetching
from chatnode_previews.storage import NOTHING, PendingLink, StoredPage

AT_A_TIME = 4
SECONDS = 10.0
"""For a page, with all redirects."""
PURPOSE = Purpose(
    "previews", seconds=SECONDS, most_bytes=512 * 1024, types=("text/html",), at_a_time=AT_A_TIME, cut=True
)
_HEADERS = (("Accept", "text/html"), ("User-Agent", "chatnode-previews"))


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
    room, unavailable = AT_A_TIME - len(fetching.busy), fetching.unavailable()
    return await ctx.read(lambda reader: storage.pending(reader, unavailable, room)) if room else []


async def _fetch_and_settle(ctx: Context, fetching: Fetching, link: PendingLink) -> None:
    try:
        known = await ctx.read(lambda reader: storage.known_page(reader, link.address, now_ms()))
        try:
            page = known or await _fetch(ctx, fetching, link.url)
        except Paused as paused:
            if fetching.postpone(link.address, paused.seconds):
                return
            page = NOTHING
        keep_until = None if known is not None else now_ms() + _keep_ms(ctx, page)

        def write(tx: Transaction) -> None:
            storage.store_page(tx, link, page, keep_until)

        await ctx.write(write, repeatable=True)
    finally:
        fetching.busy.discard(link.address)
        fetching.wake()


def _keep_ms(ctx: Context, page: StoredPage) -> int:
    settings = ctx.settings(PreviewsSettings)
    return int((settings.keep_hours if page.site is not None else settings.keep_failures_hours) * HOUR_MS)


# ---- one page


async def _fetch(ctx: Context, fetching: Fetching, url: str) -> StoredPage:
    """What the page says; `NOTHING` if there is no page, for whatever reason. Raises `Paused` if nothing was asked."""
    ctx.count("fetches")
    try:
        answer = await follow_redirects(ctx, PURPOSE, urldefrag(url).url, _HEADERS)
        page = None if answer is None else await trio.to_thread.run_sync(_read, answer, limiter=fetching.parsing)
    except Paused:
        raise
    except OutboundError:
        return NOTHING
    except Exception as error:  # else this page would be tried again and again, and end what else is fetched
        ctx.log.error("a page cannot be read: %s", type(error).__name__)
        return NOTHING
    if answer is None or page is None:
        return NOTHING
    ctx.count("found")
    picture = None if page.picture is None else await fetch_picture(ctx, answer.url, page.picture)
    return StoredPage(page.title, page.text, page.site or _host(answer.url), picture)


def _read(answer: OutboundAnswer) -> PageHead | None:
    return read_page(page_text(answer.body, answer.headers.get("content-type", "")))


def _host(url: str) -> str:
    host = urlsplit(url).hostname or ""
    return shortened(host.removeprefix("www."), MOST_SITE) or "?"


# ---- upkeep


async def forget_pages(ctx: Context) -> str | None:
    """Delete pages that are too old to be used."""
    count = await ctx.write(storage.forget_pages, repeatable=True)
    return f"forgot {counted(count, 'page')}" if count else None


TASKS = (Task("fetch", fetch_links), Task("forget", forget_pages, every=3_600))
METRICS = (Metric("fetches", "Pages that were asked for."), Metric("found", "Pages that had a preview."))
