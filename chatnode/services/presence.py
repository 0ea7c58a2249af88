"""Presence and typing."""

from __future__ import annotations

from chatnode.counting import counted
from chatnode.dispatch.caller import Caller
from chatnode.dispatch.subject import Subject
from chatnode.dispatch.table import HandlerResult, command, plain_command
from chatnode.errors import Refusal
from chatnode.model import permissions
from chatnode.model.commands.presence import (
    GetPresence,
    ListPresenceHistory,
    PresenceHistory,
    PresenceList,
    PresenceOf,
    SayTyping,
    SetStatus,
    SetVisible,
    TypingSaid,
    Typist,
    TypistList,
    Visible,
)
from chatnode.model.commands.shared import InConversation
from chatnode.model.emoji import as_emoji
from chatnode.model.folding import is_blank
from chatnode.model.people import Account
from chatnode.model.presence import Presence, PresenceState, PresenceStatus, Typing, presence_for_others
from chatnode.model.times import now_ms, rfc3339
from chatnode.routing.presence import PresenceBoard
from chatnode.storage.conversations import conversations
from chatnode.storage.conversations.conversations import Place
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.transaction import PlannedRead, PlannedWrite, Transaction
from chatnode.storage.people import people
from chatnode.storage.presence import presence, typing
from chatnode.storage.presence.presence import Mark, PresenceAudience


@command("presence.get", permission=permissions.CHAT, reads=True)
async def get(ctx: Caller, asked: GetPresence) -> PresenceList:
    """Users' presence, in order of handles. Users with whom you share no conversation, or whose presence you may not
    see, are left out."""
    most = ctx.core.config.limits.page_items
    if len(asked.people) > most:
        raise Refusal("too_large", f"has at most {counted(most, 'user')} at a time", path="people")
    found = await ctx.query(lambda reader: presence.seen(reader, ctx.me.key, asked.people))
    board = ctx.core.part(PresenceBoard)
    return PresenceList([board.as_known(each) for each in found])


@plain_command("presence.status", permission=permissions.CHAT, limit="statuses", repeatable=True)
def set_status(ctx: Caller, asked: SetStatus) -> HandlerResult[PresenceOf]:
    """Set your status: a text, an emoji or both, for some time or until you change it."""
    status = _status(ctx, asked)
    keep_history = ctx.core.config.presence.history_days > 0
    me, board = ctx.me, ctx.core.part(PresenceBoard)

    def write(tx: Transaction) -> tuple[Mark, PresenceAudience]:
        return presence.set_status(tx, me, status, keep_history=keep_history)

    def reply(written: tuple[Mark, PresenceAudience]) -> PresenceOf:
        mark, circle = written
        board.marked(me.key, mark, circle)
        now = now_ms()
        return PresenceOf(presence_for_others(me.ref, board.is_online(me.key), now, mark.status, now))

    return PlannedWrite(write).then(reply)


def _status(ctx: Caller, command: SetStatus) -> PresenceStatus:
    text = None if is_blank(command.text or "") else (command.text or "").strip()
    emoji = as_emoji(command.emoji, "emoji") if command.emoji else None
    most = ctx.core.config.presence.status_chars
    if text is not None and most and len(text) > most:
        raise Refusal("too_large", f"a status has at most {counted(most, 'character')}", path="text")
    if text is None and emoji is None:
        return PresenceStatus()
    return PresenceStatus(text, emoji, now_ms() + command.seconds * 1000 if command.seconds is not None else None)


@plain_command("presence.visible", permission=permissions.CHAT, limit="statuses", repeatable=True)
def set_visible(ctx: Caller, asked: SetVisible) -> HandlerResult[Visible]:
    """Show or hide from others when you are online and active, your status, and that you are typing (default:
    shown)."""
    me, board = ctx.me, ctx.core.part(PresenceBoard)

    def write(tx: Transaction) -> tuple[Mark, PresenceAudience]:
        return presence.set_hidden(tx, me, not asked.visible)

    def reply(written: tuple[Mark, PresenceAudience]) -> Visible:
        mark, circle = written
        board.marked(me.key, mark, circle)
        return Visible(not mark.hidden)

    return PlannedWrite(write).then(reply)


@command("presence.history", permission=permissions.CHAT, or_permission=permissions.OPERATE, reads=True)
async def history(ctx: Caller, asked: ListPresenceHistory) -> PresenceHistory:
    """Your presence history, if the node keeps it. With the permission to operate the node, any user's.

    To filter and sort: `items.query` of `presence_history`.
    """
    limit = ctx.page_size(asked.limit)
    days = ctx.core.config.presence.history_days

    def read(reader: Reader) -> PresenceHistory:
        account = _whose_history(ctx, reader, asked.person)
        return PresenceHistory(days, presence.history(reader, account.key, asked.before, limit) if days else [])

    return await ctx.read(read)


def _whose_history(ctx: Caller, reader: Reader, who: str | None) -> Account:
    if who is None:
        if ctx.account is None:
            raise Refusal("invalid", "name the user", path="person")
        return ctx.account
    if ctx.account is not None and who.lower() in (ctx.account.id, ctx.account.handle):
        return ctx.account
    if not ctx.may(permissions.OPERATE, reads=True):
        raise Refusal("forbidden", "omit this; you may ask only for your own", path="person")
    return people.find(reader, who)


@plain_command("typing", permission=permissions.CHAT, limit="typing", repeatable=True)
def say_typing(ctx: Caller, asked: SayTyping) -> HandlerResult[TypingSaid]:
    """Show that you are typing in a conversation; repeat it while you do. Posting or `stop` ends it."""
    me, board = ctx.me, ctx.core.part(PresenceBoard)

    def read(reader: Reader) -> tuple[Place, set[str]]:
        return typing.access(reader, me, asked.conversation)

    def reply(found: tuple[Place, set[str]]) -> TypingSaid:
        place, blocked = found
        if asked.stop:
            board.typing.stop(me.id, place.key)
            return TypingSaid()
        until = board.typing.until()
        if not board.is_hidden(me.key):
            board.typing.start(me.ref, place.key, place.id, blocked, until)
        return TypingSaid(rfc3339(until))

    return PlannedRead(read).then(reply)


@command("typing.list", permission=permissions.CHAT, reads=True)
async def list_typing(ctx: Caller, asked: InConversation) -> TypistList:
    """Other users who are typing in a conversation now."""
    me = ctx.me
    place = await ctx.read(lambda reader: conversations.access(reader, me, asked.conversation))
    return TypistList(
        [
            Typist(each.person, rfc3339(each.until))
            for each in ctx.core.part(PresenceBoard).typing.who(place.key)
            if each.person.id != me.id and me.id not in each.blocked
        ]
    )


SUBJECT = Subject(
    commands=(get, set_status, set_visible, history, say_typing, list_typing),
    ephemeral=(Presence, PresenceState, Typing),
    tables=presence.TABLES,
    derived=presence.DERIVED,
)
