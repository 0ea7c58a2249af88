"""What moderators do with what is held."""

from __future__ import annotations

import attrs

from chatnode.api import Context, Id, Nothing, command

from . import storage
from .storage import REVIEW


@attrs.define
class ReviewHeld:
    """Which of them."""

    held: Id


@attrs.define
class HeldListed:
    """What waits, the oldest first."""

    held: list[storage.Held]


@command("moderation.list", permission=REVIEW, reads=True)
async def list_held(ctx: Context, asked: Nothing) -> HeldListed:
    """List what is held."""
    return HeldListed(await ctx.read(lambda reader: storage.listed(reader, ctx.page_size(500))))


@command("moderation.release", permission=REVIEW)
async def release(ctx: Context, asked: ReviewHeld) -> Nothing:
    """Post what is held as its sender, who can send it again, too: it is posted once.

    What cannot be posted any more, because the sender left, stays held.
    """
    waiting = await ctx.write(lambda tx: storage.release(tx, asked.held))
    await ctx.as_person(waiting.sender).call(waiting.command, **waiting.fields)
    await ctx.write(lambda tx: storage.discard(tx, asked.held))
    return Nothing()


@command("moderation.discard", permission=REVIEW)
async def discard(ctx: Context, asked: ReviewHeld) -> Nothing:
    """Forget what is held. Its sender is not told."""
    await ctx.write(lambda tx: storage.discard(tx, asked.held))
    return Nothing()


COMMANDS = (list_held, release, discard)
