"""Reacting to messages, and asking who did."""

from __future__ import annotations

from chatnode.api import CHAT, Context, Reader, Refusal, as_emoji, command, counted
from chatnode_reactions import storage
from chatnode_reactions.emoji import EMOJI_OF, ReactionType, type_of
from chatnode_reactions.model import (
    AddReaction,
    ListReactions,
    MyReactions,
    OwnReactionList,
    ReactionPage,
    ReactionsListed,
    ReactionsSettings,
    RemoveReaction,
    SetReactions,
)

LIMIT = "reactions"


@command("reactions.add", permission=CHAT, limit=LIMIT)
async def add(ctx: Context, asked: AddReaction) -> ReactionPage:
    """React to a message. The same again changes nothing; where one may have only one, another one replaces it."""
    emoji = _one(asked.emoji, asked.type)

    def decide(before: list[str]) -> list[str]:
        most = ctx.settings(ReactionsSettings).per_person
        if emoji in before:
            return before
        if most == 1:
            return [emoji]
        if len(before) >= most:
            raise Refusal(
                "too_large",
                f"you have {counted(len(before), 'reaction')} here, which is the maximum; remove one first",
                path="emoji",
            )
        return [*before, emoji]

    return await _change(ctx, asked.message, decide, "emoji")


@command("reactions.remove", permission=CHAT, limit=LIMIT)
async def remove(ctx: Context, asked: RemoveReaction) -> ReactionPage:
    """Remove one or all of your reactions to a message. Removing a missing one changes nothing."""
    fits = _filter(asked.emoji, asked.type)
    return await _change(ctx, asked.message, lambda before: [each for each in before if not fits(each)], "emoji")


@command("reactions.set", permission=CHAT, limit=LIMIT)
async def replace(ctx: Context, asked: SetReactions) -> ReactionPage:
    """Replace your reactions to a message."""
    emojis = list(dict.fromkeys(as_emoji(each, f"emojis.{n}") for n, each in enumerate(asked.emojis)))
    most = ctx.settings(ReactionsSettings).per_person
    if len(emojis) > most:
        raise Refusal("too_large", f"emojis has {len(emojis)} different ones; the maximum is {most}", path="emojis")
    return await _change(ctx, asked.message, lambda before: emojis, "emojis")


@command("reactions.list", permission=CHAT, reads=True)
async def list_page(ctx: Context, asked: ListReactions) -> ReactionsListed:
    """Reactions to a message with users and times, oldest first; of one emoji or of all.

    To filter and sort: `items.query` of `message_reactions`.
    """
    fits, limit = _filter(asked.emoji, asked.type), ctx.page_size(asked.limit)
    return await ctx.query(lambda reader: storage.page(reader, ctx.me, asked.message, fits, asked.after, limit))


@command("reactions.mine", permission=CHAT, reads=True)
async def mine(ctx: Context, asked: MyReactions) -> OwnReactionList:
    """Your own reactions to these messages."""

    def read(reader: Reader) -> OwnReactionList:
        return OwnReactionList(storage.mine(reader, ctx.me, asked.messages))

    return await ctx.read(read)


async def _change(ctx: Context, message: str, decide: storage.Decide, path: str) -> ReactionPage:
    most = ctx.settings(ReactionsSettings).emoji_per_message
    return await ctx.write(lambda tx: storage.change(tx, ctx.me, message, decide, most, path))


def _one(emoji: str | None, type: ReactionType | None) -> str:
    """The emoji that is meant. Raises `Refusal("invalid")`."""
    if emoji is None:
        if type is None:
            raise Refusal("invalid", "emoji is missing; give an emoji or a type", path="emoji")
        if type not in EMOJI_OF:
            raise Refusal("invalid", f"{type} has no emoji of its own; give one", path="emoji")
        return EMOJI_OF[type]
    found = as_emoji(emoji, "emoji")
    if type is not None and type != type_of(found):
        raise Refusal("invalid", f"{found} is of the type {type_of(found)}", path="type")
    return found


def _filter(emoji: str | None, type: ReactionType | None) -> storage.Fits:
    """Which emoji are meant; without either, all."""
    found = as_emoji(emoji, "emoji") if emoji is not None else None
    return lambda each: (found is None or each == found) and (type is None or type_of(each) == type)


COMMANDS = (add, remove, replace, list_page, mine)
