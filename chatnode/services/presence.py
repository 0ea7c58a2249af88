"""Presence and typing."""

from __future__ import annotations

from chatnode.dispatch.caller import Caller
from chatnode.dispatch.table import command
from chatnode.errors import Refusal
from chatnode.model import permissions
from chatnode.model.commands.presence import (
    GetPresence,
    ListPresenceHistory,
    PresenceGiven,
    PresenceHistory,
    PresenceOf,
    SayTyping,
    SetStatus,
    SetVisible,
    TypingSaid,
    Typist,
    TypistsGiven,
    Visible,
)
from chatnode.model.commands.shared import InConversation
from chatnode.model.emoji import as_emoji
from chatnode.model.folding import is_blank
from chatnode.model.people import Account
from chatnode.model.presence import Status, as_told
from chatnode.model.times import now_ms, rfc3339
from chatnode.routing.presence import PresenceBoard
from chatnode.storage.conversations import conversations
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people import people
from chatnode.storage.presence import presence, typing
from chatnode.storage.presence.presence import Circle, Mark


@command("presence.get", permission=permissions.CHAT, reads=True)
async def get(ctx: Caller, command: GetPresence) -> PresenceGiven:
    """How people are, in the order of handles. Whom you share no conversation with, or may not see, is left out."""
    most = ctx.core.config.limits.page_items
    if len(command.people) > most:
        raise Refusal("too_large", f"asks for at most {most} people at a time", path="people")
    found = await ctx.query(lambda reader: presence.seen(reader, ctx.me.key, command.people))
    board = ctx.core.part(PresenceBoard)
    return PresenceGiven([board.as_known(each) for each in found])


@command("presence.status", permission=permissions.CHAT, limit="statuses", repeatable=True)
async def set_status(ctx: Caller, command: SetStatus) -> PresenceOf:
    """Say what you are up to, in a text, an emoji or both, for some time or until you say otherwise."""
    status = _status(ctx, command)
    keep_history = ctx.core.config.presence.history_days > 0
    me = ctx.me

    def write(tx: Transaction) -> tuple[Mark, Circle]:
        return presence.set_status(tx, me, status, keep_history=keep_history)

    mark, circle = await ctx.write(write)
    ctx.core.part(PresenceBoard).marked(me.key, mark, circle)
    now = now_ms()
    return PresenceOf(as_told(me.ref, ctx.core.part(PresenceBoard).is_online(me.key), now, mark.status, now))


def _status(ctx: Caller, command: SetStatus) -> Status:
    text = None if is_blank(command.text or "") else (command.text or "").strip()
    emoji = as_emoji(command.emoji, "emoji") if command.emoji else None
    most = ctx.core.config.presence.status_chars
    if text is not None and most and len(text) > most:
        raise Refusal("too_large", f"a status has at most {most} characters", path="text")
    if text is None and emoji is None:
        return Status()
    return Status(text, emoji, now_ms() + command.seconds * 1000 if command.seconds is not None else None)


@command("presence.visible", permission=permissions.CHAT, limit="statuses", repeatable=True)
async def set_visible(ctx: Caller, command: SetVisible) -> Visible:
    """Whether others see when you are online and active, your status, and that you type. At first they do."""
    me = ctx.me
    mark, circle = await ctx.write(lambda tx: presence.set_hidden(tx, me, not command.visible))
    ctx.core.part(PresenceBoard).marked(me.key, mark, circle)
    return Visible(not mark.hidden)


@command("presence.history", permission=permissions.CHAT, or_permission=permissions.OPERATE, reads=True)
async def history(ctx: Caller, command: ListPresenceHistory) -> PresenceHistory:
    """When you came, went and set which status, if the node keeps it; who operates the node may ask of anybody.

    To filter and sort: `items.query` of `presence_history`.
    """
    limit = ctx.page_size(command.limit)
    days = ctx.core.config.presence.history_days

    def read(reader: Reader) -> PresenceHistory:
        account = _whose_history(ctx, reader, command.person)
        return PresenceHistory(days, presence.history(reader, account.key, command.before, limit) if days else [])

    return await ctx.read(read)


def _whose_history(ctx: Caller, reader: Reader, who: str | None) -> Account:
    if who is None:
        if ctx.account is None:
            raise Refusal("invalid", "say whose", path="person")
        return ctx.account
    if ctx.account is not None and who.lower() in (ctx.account.id, ctx.account.handle):
        return ctx.account
    if not ctx.may(permissions.OPERATE, reads=True):
        raise Refusal("forbidden", "leave this out: you may ask only for your own", path="person")
    return people.find(reader, who)


@command("typing", permission=permissions.CHAT, limit="typing", repeatable=True)
async def say_typing(ctx: Caller, command: SayTyping) -> TypingSaid:
    """Say that you type in a conversation, again while you do; posting ends it, and so does `stop`."""
    me = ctx.me
    live = ctx.core.part(PresenceBoard)
    place, blocked = await ctx.read(lambda reader: typing.access(reader, me, command.conversation))
    if command.stop:
        live.typing.stops(me.id, place.key)
        return TypingSaid()
    until = live.typing.until()
    if not live.is_hidden(me.key):
        live.typing.types(me.ref, place.key, place.id, blocked, until)
    return TypingSaid(rfc3339(until))


@command("typing.list", permission=permissions.CHAT, reads=True)
async def list_typing(ctx: Caller, command: InConversation) -> TypistsGiven:
    """Who else types in a conversation now."""
    me = ctx.me
    place = await ctx.read(lambda reader: conversations.access(reader, me, command.conversation))
    return TypistsGiven(
        [
            Typist(each.person, rfc3339(each.until))
            for each in ctx.core.part(PresenceBoard).typing.who(place.key)
            if each.person.id != me.id and me.id not in each.blocked
        ]
    )


COMMANDS = (get, set_status, set_visible, history, say_typing, list_typing)
