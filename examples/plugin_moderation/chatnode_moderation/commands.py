"""Moderators' commands for held messages."""

from __future__ import annotations

import attrs

from chatnode.api import Context, Id, Nothing, command

from . import storage
from .storage import REVIEW


@attrs.define
class ReviewHeld:
    """The held message."""

    held: Id


@attrs.define
class HeldListed:
    """The held messages, the oldest first."""

    held: list[storage.Held]


@command("moderation.list", permission=REVIEW, reads=True)
async def list_held(ctx: Context, asked: Nothing) -> HeldListed:
    """List held messages."""
    return HeldListed(await ctx.read(lambda reader: storage.listed(reader, ctx.page_size(500))))


@command("moderation.release", permission=REVIEW)
async def release(ctx: Context, asked: ReviewHeld) -> Nothing:
    """Post a held message as its sender. If the sender also sends it again, it is still posted only once.

    A message that can no longer be posted, because the sender left, stays held.
    """
    waiting = await ctx.write(lambda tx: storage.release(tx, asked.held))
    await ctx.as_person(waiting.sender).call(waiting.command, **waiting.fields)
    await ctx.write(lambda tx: storage.discard(tx, asked.held))
    return Nothing()


@command("moderation.discard", permission=REVIEW)
async def discard(ctx: Context, asked: ReviewHeld) -> Nothing:
    """Discard a held message. Its sender is not notified."""
    await ctx.write(lambda tx: storage.discard(tx, asked.held))
    return Nothing()


COMMANDS = (list_held, release, discard)
