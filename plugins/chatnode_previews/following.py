"""Finds links in messages that are posted or edited."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import trio

from chatnode.api import HOUR_MS, Consumer, Context, Row, Transaction, Write, now_ms
from chatnode_previews import storage
from chatnode_previews.links import MessageLink, links_of
from chatnode_previews.settings import PreviewsSettings
from chatnode_previews.state import Fetching
from chatnode_previews.storage import LinkedMessage

_OLDEST_MS = 24 * HOUR_MS
"""Links of older messages are not fetched: the plugin was disabled, and nobody waits for them."""


async def follow(ctx: Context, rows: Sequence[Row]) -> Write[object] | None:
    """Store the links of messages, to be fetched.

    They are written here and not with the cursor, so that fetching can begin at once. Doing it twice is the same as
    doing it once, but for the user's budget.
    """
    if not ctx.settings(PreviewsSettings).enabled:
        return None
    messages = await ctx.read(partial(storage.messages_of, rows=rows))
    if messages:
        known = await ctx.read(lambda reader: {each.key: storage.known_urls(reader, each.key) for each in messages})
        links: dict[int, list[MessageLink]] = {}
        for each in messages:
            links[each.key] = _links(ctx, each, known[each.key])
            await trio.lowlevel.checkpoint()  # long messages with many links take milliseconds

        def write(tx: Transaction) -> None:
            for message, found in links.items():
                storage.set_links(tx, message, found)

        await ctx.write(write, repeatable=True)
        ctx.state(Fetching).wake()
    return None


def _links(ctx: Context, message: LinkedMessage, known: set[str]) -> list[MessageLink]:
    """The links of the message that have a preview or get one, within the sender's budget."""
    if not _is_wanted(ctx, message):
        return []
    links = links_of(message.text, ctx.base_url)
    new = [link for link in links if link.url not in known]
    granted = new[: ctx.state(Fetching).grant(message.sender, len(new), now_ms())]
    return [link for link in links if link.url in known or link in granted]


def _is_wanted(ctx: Context, message: LinkedMessage) -> bool:
    if message.kind == "direct" and not ctx.settings(PreviewsSettings).direct:
        return False
    return message.enabled and now_ms() - message.at < _OLDEST_MS


CONSUMER = Consumer(
    "links",
    follow,
    frozenset(("message.posted", "message.edited")),
    pause=0.2,
    where=storage.MAY_HAVE_LINKS,
    repeatable=True,
)
