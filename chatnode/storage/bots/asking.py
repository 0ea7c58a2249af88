"""Invoking a slash command or a button. It is identified by its user and their `cid`: repeating it has the same answer
and tells the bot nothing."""

from __future__ import annotations

from chatnode.config import BotSettings
from chatnode.errors import Refusal
from chatnode.model.bots import PrivateNotice
from chatnode.model.commands.slash import ActionInvocation, InvokeAction, RunSlash, SlashRan, SlashReplied
from chatnode.model.ids import invocation_id, message_id
from chatnode.model.people import Account
from chatnode.storage.bots import invocations, notices
from chatnode.storage.bots.commands import BotOffer
from chatnode.storage.bots.notices import NewNotice
from chatnode.storage.conversations import conversations
from chatnode.storage.engine.connection import Querying
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.messages import messages
from chatnode.storage.people import people


def ran_earlier(reader: Querying, account: Account, asked: RunSlash) -> SlashRan | None:
    """The original reply if the user ran this before, else None.

    Raises `Refusal("conflict")` for a cid that was used for something else.
    """
    id = invocation_id(account.id, asked.cid)
    found = invocations.find(reader, id)
    posted = _posted(reader, account, id)
    if found is None:  # of a plugin whose answer to all was posted, when the node stopped before it stored this
        return SlashRan(id, dup=True, message=posted) if posted is not None else None
    if found.message is not None or (found.conversation_id, found.said) != (asked.conversation, asked.text):
        raise _used()
    if found.bot is not None:
        return SlashRan(id, dup=True, bot=people.ref(reader, found.bot))
    return SlashRan(id, dup=True, message=posted, notice=notices.by_id(reader, id))


def answer_cid(id: str) -> str:
    """The cid of the message with which a plugin answers a command to all, or a bot with the answer of this id."""
    return f"slash-{id}"


def _posted(reader: Querying, account: Account, id: str) -> str | None:
    """The id of that message, if there is one."""
    message = message_id(account.id, answer_cid(id))
    row = reader.execute("SELECT id FROM messages WHERE id = ?", (message,)).fetchone()
    return row[0] if row is not None else None


def _used() -> Refusal:
    return Refusal("conflict", "this cid was already used for something else; create a new one", path="cid")


def ask_bot(tx: Transaction, account: Account, asked: RunSlash, offer: BotOffer, settings: BotSettings) -> SlashRan:
    """Tell a bot of a command that it offers. Raises `Refusal`."""
    if (earlier := ran_earlier(tx, account, asked)) is not None:
        return earlier
    place = conversations.access_to_post(tx, account, asked.conversation)
    if conversations.member_role(tx, place.key, offer.key) is None:
        raise Refusal("not_found", f"{offer.bot.handle} is no longer a member", path="text")
    id = invocation_id(account.id, asked.cid)
    key = invocations.insert(
        tx, id, account, settings,
        bot=offer.key, conversation=place.key, command=offer.command.name, said=asked.text,
        due_at=tx.now + int(settings.working_seconds * 1_000),
    )  # fmt: skip
    invocations.tell_bot(tx, key)
    return SlashRan(id, dup=False, bot=offer.bot)


def store_answered(
    tx: Transaction,
    account: Account,
    asked: RunSlash,
    settings: BotSettings,
    *,
    conversation: int,
    plugin: str,
    command: str,
    text: str | None,
) -> PrivateNotice | None:
    """Store that a plugin carried out a command, and send the `text` that only the user sees, if any.

    If they have left the conversation, there is no notice.
    """
    id = invocation_id(account.id, asked.cid)
    invocations.insert(
        tx, id, account, settings, plugin=plugin, conversation=conversation, command=command, said=asked.text
    )
    if text is None or conversations.member_role(tx, conversation, account.key) is None:
        return None
    return notices.send(tx, NewNotice(id, account.key, conversation, text, plugin=plugin, invocation=id))


def pressed_earlier(reader: Querying, account: Account, asked: InvokeAction) -> ActionInvocation | None:
    """The original reply if the user pressed this before, else None.

    Raises `Refusal("conflict")` for a cid that was used for something else.
    """
    found = invocations.find(reader, invocation_id(account.id, asked.cid))
    if found is None:
        return None
    bot = people.ref(reader, found.bot)
    if bot is None or (found.message, found.command) != (asked.message, asked.action):
        raise _used()
    return ActionInvocation(found.id, dup=True, bot=bot)


def press(tx: Transaction, account: Account, asked: InvokeAction, settings: BotSettings) -> ActionInvocation:
    """Tell a bot that a button of its message was pressed.

    Raises `Refusal`: as `messages.access`, `closed` for a closed conversation, `gone` for a deleted message and when
    the bot is no longer a member, `not_found` if the message has no such button, `forbidden` for a deactivated bot.
    """
    if (earlier := pressed_earlier(tx, account, asked)) is not None:
        return earlier
    place, message = messages.access(tx, account, asked.message)
    conversations.refuse_closed(place)
    if message.deleted_at is not None:
        raise Refusal("gone", "this message was deleted", path="message")
    if asked.action not in {each.id for each in message.actions or ()}:
        raise Refusal("not_found", "the message does not have this button", path="action")
    bot = people.find_reachable(tx, message.sender.id, "message")
    if conversations.member_role(tx, place.key, bot.key) is None:
        raise Refusal("gone", f"{bot.handle} is no longer a member", path="message")
    id = invocation_id(account.id, asked.cid)
    (message_key,) = tx.execute("SELECT key FROM messages WHERE id = ?", (asked.message,)).fetchone()
    key = invocations.insert(
        tx, id, account, settings, bot=bot.key, conversation=place.key, message=message_key, command=asked.action
    )
    invocations.tell_bot(tx, key)
    return ActionInvocation(id, dup=False, bot=bot.ref)


def replied_earlier(reader: Querying, bot: Account, invocation: str, id: str) -> SlashReplied | None:
    """What the bot's answer with this id became, if it was given before."""
    if notices.by_id(reader, id) is not None:
        return SlashReplied(invocation, dup=True, notice=id)
    message = _posted(reader, bot, id)
    return SlashReplied(invocation, dup=True, message=message) if message is not None else None
