"""Slash commands: what a conversation offers, running one, and the answers of bots. Buttons are answered alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import attrs

from chatnode.counting import counted
from chatnode.dispatch import acting
from chatnode.dispatch.caller import Caller
from chatnode.dispatch.subject import Subject
from chatnode.dispatch.table import command
from chatnode.errors import Refusal
from chatnode.hooks.slash import SlashCall
from chatnode.hooks.slash_commands import PluginCommand, SlashCommands
from chatnode.model import permissions
from chatnode.model.bots import OfferedCommand
from chatnode.model.commands.shared import InConversation
from chatnode.model.commands.slash import (
    ActionInvocation,
    InvokeAction,
    OfferedCommands,
    ReplySlash,
    RunSlash,
    SlashRan,
    SlashReplied,
)
from chatnode.model.ids import invocation_id, new_id
from chatnode.model.slash import SlashText, parse_slash
from chatnode.protocol import codec
from chatnode.services.invocations import Invocations
from chatnode.storage.bots import asking, invocations, notices
from chatnode.storage.bots.commands import BotOffer, offered
from chatnode.storage.bots.notices import NewNotice
from chatnode.storage.conversations import conversations
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.transaction import Transaction

Offer = PluginCommand | BotOffer


@command("slash.list", permission=permissions.CHAT, reads=True)
async def list_commands(ctx: Caller, asked: InConversation) -> OfferedCommands:
    """The slash commands that you can run in a conversation: those of plugins, and of the bots that take part.

    Where several have the same name, each has its long form, `/plugin:name` or `/name@bot`; the long forms always work.
    """
    me, of_plugins = ctx.me, ctx.core.part(SlashCommands).offered(ctx)

    def read(reader: Reader) -> list[Offer]:
        place = conversations.access(reader, me, asked.conversation)
        return [*of_plugins, *offered(reader, place.key)]

    offers = await ctx.read(read)
    count = Counter(_name(each) for each in offers)
    shown = [_info(each, alone=count[_name(each)] == 1) for each in offers]
    return OfferedCommands(sorted(shown, key=lambda each: each.command))


def _name(offer: Offer) -> str:
    return offer.slash.name if isinstance(offer, PluginCommand) else offer.command.name


def _info(offer: Offer, *, alone: bool) -> OfferedCommand:
    name = f"/{_name(offer)}" if alone else _long_form(offer)
    if isinstance(offer, PluginCommand):
        return OfferedCommand(name, offer.slash.about, offer.slash.usage, plugin=offer.plugin)
    return OfferedCommand(name, offer.command.about, offer.command.usage, bot=offer.bot)


def _long_form(offer: Offer) -> str:
    if isinstance(offer, PluginCommand):
        return f"/{offer.plugin}:{offer.slash.name}"
    return f"/{offer.command.name}@{offer.bot.handle}"


# ---- running


async def _ran_earlier(ctx: Caller, asked: RunSlash) -> SlashRan | None:
    me = ctx.me
    return await ctx.read(lambda reader: asking.ran_earlier(reader, me, asked))


@command("slash.run", permission=permissions.CHAT, limit="invocations", earlier=_ran_earlier, repeatable=True)
async def run(ctx: Caller, asked: RunSlash) -> SlashRan:
    """Run a slash command, `/name` and what follows. Repeating the `cid` within a day returns the same reply.

    A plugin answers in the reply. A bot gets the event `slash.invoked`, and its answers are messages, or private
    notices (the event `notice.private`); if it does not answer, a notice says so.
    """
    _refuse_bot(ctx)
    spoken, me = _parsed(ctx, asked.text), ctx.me
    of_plugins = ctx.core.part(SlashCommands).offered(ctx, spoken.name)

    def look(reader: Reader) -> SlashRan | tuple[int, Offer]:
        if (earlier := asking.ran_earlier(reader, me, asked)) is not None:
            return earlier
        place = conversations.access_to_post(reader, me, asked.conversation)
        return place.key, _chosen(spoken, [*of_plugins, *offered(reader, place.key, spoken.name)])

    found = await ctx.read(look)
    if isinstance(found, SlashRan):
        return found
    conversation, offer = found
    if isinstance(offer, PluginCommand):
        return await _run_in_plugin(ctx, asked, spoken, conversation, offer)
    settings = ctx.core.config.bots
    ran = await ctx.write(lambda tx: asking.ask_bot(tx, me, asked, offer, settings), repeatable=True)
    ctx.core.part(Invocations).wake()
    return ran


def _refuse_bot(ctx: Caller) -> None:
    """Bots that could ask each other would never come to an end."""
    if ctx.me.bot:
        raise Refusal("forbidden", "a bot cannot use slash commands and buttons")


def _parsed(ctx: Caller, text: str) -> SlashText:
    most = ctx.core.config.limits.message_chars
    if most and len(text) > most:
        raise Refusal("too_large", f"a command has at most {counted(most, 'character')}", path="text")
    spoken = parse_slash(text)
    if spoken is None:
        raise Refusal("invalid", "expected a slash command, such as /name or /name@bot", path="text")
    return spoken


def _chosen(spoken: SlashText, offers: Sequence[Offer]) -> Offer:
    """The one command that is meant. Raises `Refusal`."""
    if spoken.plugin is not None:
        offers = [each for each in offers if isinstance(each, PluginCommand) and each.plugin == spoken.plugin]
    elif spoken.bot is not None:
        offers = [each for each in offers if isinstance(each, BotOffer) and each.bot.handle == spoken.bot]
    if not offers:
        raise Refusal("not_found", f"there is no command /{spoken.name} here; slash.list lists them", path="text")
    if len(offers) > 1:
        forms = ", ".join(_long_form(each) for each in offers)
        raise Refusal("conflict", f"several commands are called /{spoken.name}: {forms}", path="text")
    return offers[0]


async def _run_in_plugin(
    ctx: Caller, asked: RunSlash, spoken: SlashText, conversation: int, offer: PluginCommand
) -> SlashRan:
    me, settings = ctx.me, ctx.core.config.bots
    id = invocation_id(me.id, asked.cid)
    async with ctx.core.part(Invocations).running.hold(id):  # a repeat waits and is not carried out again
        if (earlier := await _ran_earlier(ctx, asked)) is not None:
            return earlier
        answer = await offer.run(ctx, SlashCall(id, asked.conversation, spoken.name, spoken.rest))
        message = None
        if answer is not None and answer.visible == "all":
            message = await _post_answer(ctx, asked, id, offer, answer.text)
        private = answer.text if answer is not None and message is None else None
        notice = await ctx.write(
            lambda tx: asking.store_answered(
                tx, me, asked, settings,
                conversation=conversation, plugin=offer.plugin, command=spoken.name, text=private,
            )
        )  # fmt: skip
        return SlashRan(id, dup=False, message=message, notice=notice)


async def _post_answer(ctx: Caller, asked: RunSlash, id: str, offer: PluginCommand, text: str) -> str:
    """Post a plugin's answer to all, as the user's message: in a direct conversation nobody else could."""
    as_plugin = attrs.evolve(ctx, plugin=offer.plugin)
    posted: dict[str, Any] = await acting.call(
        as_plugin, "messages.post",
        conversation=asked.conversation, cid=asking.answer_cid(id), text=text,
        metadata={f"{offer.plugin}.command": f"/{offer.slash.name}"},
    )  # fmt: skip
    return posted["message"]


# ---- buttons


async def _pressed_earlier(ctx: Caller, asked: InvokeAction) -> ActionInvocation | None:
    me = ctx.me
    return await ctx.read(lambda reader: asking.pressed_earlier(reader, me, asked))


@command("actions.invoke", permission=permissions.CHAT, limit="invocations", earlier=_pressed_earlier, repeatable=True)
async def invoke(ctx: Caller, asked: InvokeAction) -> ActionInvocation:
    """Press a button of a bot's message. Repeating the `cid` within a day does not press it again.

    The bot gets the event `action.invoked`. It may edit its message, or answer with `slash.reply`.
    """
    _refuse_bot(ctx)
    me, settings = ctx.me, ctx.core.config.bots
    return await ctx.write(lambda tx: asking.press(tx, me, asked, settings), repeatable=True)


# ---- answers of bots


@command("slash.reply", permission=permissions.CHAT)
async def reply(ctx: Caller, asked: ReplySlash) -> SlashReplied:
    """For a bot: answer a slash command or a button, within `bots.reply_minutes` and up to `bots.replies` times.

    The answer is a notice that only the user sees, or a message of the bot, which may have buttons.
    """
    me, most = ctx.me, ctx.core.config.bots.replies
    _check_reply(ctx, asked)
    id = invocation_id(me.id, f"{asked.invocation}:{asked.cid}") if asked.cid is not None else new_id()

    def claim(tx: Transaction) -> SlashReplied | invocations.Invocation:
        if (earlier := asking.replied_earlier(tx, me, asked.invocation, id)) is not None:
            return earlier
        found = invocations.claim_reply(tx, me, asked.invocation, most)
        if asked.visible == "all":
            return found
        notices.check_may_tell(tx, me, found.person, found.conversation)
        notices.send(tx, NewNotice(id, found.person, found.conversation, asked.text, me, None, found.id))
        return SlashReplied(found.id, dup=False, notice=id)

    claimed = await ctx.write(claim)
    if isinstance(claimed, SlashReplied):
        return claimed
    return await _reply_to_all(ctx, asked, id, claimed)


def _check_reply(ctx: Caller, asked: ReplySlash) -> None:
    most = ctx.core.config.limits.message_chars
    if most and len(asked.text) > most:
        raise Refusal("too_large", f"an answer has at most {counted(most, 'character')}", path="text")
    if asked.actions and asked.visible != "all":
        raise Refusal("invalid", "only an answer that is visible to all can have buttons", path="actions")


async def _reply_to_all(ctx: Caller, asked: ReplySlash, id: str, claimed: invocations.Invocation) -> SlashReplied:
    """Post it as any message, so that hooks and rates apply. An answer that is refused does not count."""
    actions = {"actions": [codec.to_plain(each) for each in asked.actions]} if asked.actions else {}
    try:
        posted: dict[str, Any] = await acting.call(
            ctx,
            "messages.post",
            conversation=claimed.conversation_id,
            cid=asking.answer_cid(id),
            text=asked.text,
            **actions,
        )
    except Refusal:
        await ctx.write(lambda tx: invocations.give_back_reply(tx, claimed.key))
        raise
    return SlashReplied(claimed.id, dup=False, message=posted["message"])


SUBJECT = Subject(commands=(list_commands, run, invoke, reply))
