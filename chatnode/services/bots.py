"""Bots that users own, and the slash commands that bots offer."""

from __future__ import annotations

from chatnode.counting import counted
from chatnode.dispatch.caller import Caller
from chatnode.dispatch.subject import Subject
from chatnode.dispatch.table import command
from chatnode.errors import Refusal
from chatnode.model import permissions
from chatnode.model.bots import OwnedBot
from chatnode.model.commands.bots import (
    BotCommandList,
    BotList,
    BotReply,
    CreateBot,
    CreateBotToken,
    ListBots,
    RemoveBot,
    SetBotCommands,
)
from chatnode.model.commands.shared import Nothing
from chatnode.model.commands.sign_in import TokenReply
from chatnode.model.people import Account
from chatnode.services.sign_in import scopes_of_token
from chatnode.storage.bots import commands, owned
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people import audit, people, sessions


@command("bots.create", permission=permissions.MAKE_BOTS, limit="bots")
async def create(ctx: Caller, asked: CreateBot) -> BotReply:
    """Create a bot of your own, up to `bots.per_person` of the settings.

    It takes part where members add it. While your account is deactivated the bot is paused, and if your account is
    erased the bot ends. Creating it again with the same handle and name returns the bot that you have.
    """
    owner, most = _owner(ctx), ctx.core.config.bots.per_person

    def write(tx: Transaction) -> BotReply:
        bot = owned.create(tx, owner, asked.handle, asked.name, most)
        return BotReply(owned.info(tx, bot.key))

    return await ctx.write(write)


def _owner(ctx: Caller) -> Account:
    """The requester, who must not be a bot."""
    if ctx.me.bot:
        raise Refusal("forbidden", "a bot cannot own bots")
    return ctx.me


@command("bots.list", permission=permissions.CHAT, reads=True)
async def list_bots(ctx: Caller, asked: ListBots) -> BotList:
    """Your bots, with the commands that they offer; with the permission to manage people, those of another user."""
    if asked.owner is not None:
        ctx.check(permissions.MANAGE_PEOPLE, reads=True)

    def read(reader: Reader) -> list[OwnedBot]:
        owner = ctx.me if asked.owner is None else people.find(reader, asked.owner, "owner")
        return owned.page(reader, owner)

    return BotList(await ctx.read(read))


@command("bots.remove", permission=permissions.CHAT, limit="bots")
async def remove(ctx: Caller, asked: RemoveBot) -> Nothing:
    """End one of your bots: it is signed out and cannot act any more. What it posted stays."""

    def write(tx: Transaction) -> None:
        bot = owned.find(tx, ctx.me, asked.bot)
        owned.end(tx, bot)
        audit.record(tx, ctx.me, "bots.remove", bot.id)

    await ctx.write(write)
    return Nothing()


@command("bots.token", permission=permissions.MAKE_BOTS)
async def create_token(ctx: Caller, asked: CreateBotToken) -> TokenReply:
    """Create a token for one of your bots, which is shown only once.

    Its scopes are `chat` unless you name others, which you need to have yourself. Your bots, whatever their scopes,
    see in lists only users with whom they share a conversation. `replace` ends the tokens that the bot has had so far.
    """
    token, token_hash = sessions.new_secret()
    scopes = scopes_of_token(ctx, asked.scopes)
    if missing := sorted({each.removesuffix(permissions.READ_SCOPE) for each in scopes} - ctx.permissions):
        raise Refusal("forbidden", f"you do not have the permission {missing[0]} yourself", path="scopes")

    def write(tx: Transaction) -> int:
        bot = owned.find(tx, ctx.me, asked.bot)
        if bot.deactivated_at is not None:
            raise Refusal("conflict", f"the account of {bot.handle} is deactivated", path="bot")
        if asked.replace:
            sessions.revoke_all(tx, bot.key, None)
        session = sessions.create(tx, bot.key, "token", asked.label or "token", token_hash, asked.days, scopes)
        if ctx.ends_at is not None:
            sessions.end_by(tx, session, ctx.ends_at)
        listed = " ".join(sorted(scopes))
        audit.record(tx, ctx.me, "bots.token", bot.id, scopes=listed, days=asked.days)
        return session

    return TokenReply(token, await ctx.write(write))


@command("bots.commands.set", permission=permissions.CHAT, limit="changes", repeatable=True)
async def set_commands(ctx: Caller, asked: SetBotCommands) -> BotCommandList:
    """For a bot: offer these slash commands, and no others, in every conversation that you take part in.

    When a user runs one, you get the event `slash.invoked`.
    """
    most = ctx.core.config.bots.commands
    if not ctx.me.bot:
        raise Refusal("forbidden", "only a bot can offer commands")
    if len(asked.commands) > most:
        raise Refusal("too_large", f"a bot has up to {counted(most, 'command')}", path="commands")
    names: set[str] = set()
    for place, each in enumerate(asked.commands):
        if each.name in names:
            raise Refusal("invalid", "the same name is in the list before", path=f"commands.{place}.name")
        names.add(each.name)

    def write(tx: Transaction) -> BotCommandList:
        commands.replace(tx, ctx.me, asked.commands)
        return BotCommandList(commands.of_bot(tx, ctx.me.key))

    return await ctx.write(write)


SUBJECT = Subject(
    commands=(create, list_bots, remove, create_token, set_commands), tables=(*owned.TABLES, *commands.TABLES)
)
