"""Managing incoming webhooks: by the owner and admins of a group, and by those who manage the node's webhooks."""

from __future__ import annotations

from contextlib import suppress

import attrs

from chatnode.api import (
    CHAT,
    HOUR_MS,
    Account,
    Context,
    Nothing,
    PersonRef,
    Querying,
    Reader,
    Refusal,
    Transaction,
    access_to_manage,
    add_member,
    command,
    find_person,
    new_id,
    new_webhook_secret,
    now_ms,
    rfc3339,
    rfc3339_or_none,
)
from chatnode_webhooks.incoming import rows
from chatnode_webhooks.incoming.model import (
    AddIncoming,
    IncomingHook,
    IncomingHooks,
    IncomingSecrets,
    ListIncoming,
    OfIncoming,
    RotateIncoming,
)
from chatnode_webhooks.incoming.rows import HookRow
from chatnode_webhooks.permissions import MANAGE
from chatnode_webhooks.settings import WebhooksSettings


@command("webhooks.incoming.add", permission=CHAT, or_permission=MANAGE, limit="changes", unscoped=True)
async def add_incoming(ctx: Context, asked: AddIncoming) -> IncomingSecrets:
    """Add an incoming webhook to a group: an address that other programs post messages to, as they would to Slack.

    For the owner and admins of the group. Users with the permission `webhooks.manage` may name a bot; if it is a member
    of the group, they need not be one. Otherwise, the webhook gets a bot of its own, which becomes a member of the
    group. The address is shown once; rotate the webhook for another.
    """
    await ctx.read(lambda reader: _check_may_add(ctx, reader, asked))  # before a bot is made for it
    id, token, secret = new_id(), rows.new_token(), new_webhook_secret() if asked.signed else None
    own = await ctx.bot(f"hook-{id[:12]}", asked.name) if asked.bot is None else None

    def write(tx: Transaction) -> HookRow:
        conversation = _check_may_add(ctx, tx, asked)
        bot = own or _named_bot(ctx, tx, asked.bot or "")
        _make_member(ctx, tx, asked.conversation, conversation, bot)
        hook = rows.insert(tx, {
            "id": id, "conversation": conversation, "name": asked.name, "bot": bot.key, "own_bot": int(own is not None),
            "mentions_everyone": int(asked.mentions_everyone), "token": rows.hash_of(token), "secret": secret,
        })  # fmt: skip
        ctx.audit(tx, "incoming.add", id, conversation=asked.conversation, bot=bot.id)
        return hook

    return _with_secrets(ctx, await ctx.write(write), token)


@command("webhooks.incoming.list", permission=CHAT, or_permission=MANAGE, reads=True)
async def list_incoming(ctx: Context, asked: ListIncoming) -> IncomingHooks:
    """The incoming webhooks of a group, for its owner and admins; with the permission `webhooks.manage`, of any group
    or of all."""
    limit = ctx.page_size(asked.limit)
    if asked.conversation is None:
        ctx.check(MANAGE, reads=True)

    def read(reader: Reader) -> list[HookRow]:
        among = None if asked.conversation is None else _group(ctx, reader, asked.conversation, reads=True)
        return rows.page(reader, among, asked.after or "", limit)

    found = await ctx.read(read)
    return IncomingHooks([_shown(each) for each in found], found[-1].id if len(found) == limit else None)


@command("webhooks.incoming.remove", permission=CHAT, or_permission=MANAGE, limit="changes")
async def remove_incoming(ctx: Context, asked: OfIncoming) -> Nothing:
    """Remove an incoming webhook: its address stops working at once. Its messages stay; its own bot leaves."""

    def write(tx: Transaction) -> HookRow:
        hook = _hook(ctx, tx, asked.webhook)
        rows.delete(tx, hook)
        ctx.audit(tx, "incoming.remove", hook.id, conversation=hook.conversation_id, bot=hook.bot_id)
        return hook

    removed = await ctx.write(write)
    if removed.own_bot:
        with suppress(Refusal):  # it was removed from the group, or deactivated
            await ctx.as_person(removed.bot_id).call("conversations.leave", conversation=removed.conversation_id)
    return Nothing()


@command("webhooks.incoming.rotate", permission=CHAT, or_permission=MANAGE, limit="changes", unscoped=True)
async def rotate_incoming(ctx: Context, asked: RotateIncoming) -> IncomingSecrets:
    """Give an incoming webhook a new address, and a new secret if it is signed.

    The old ones stop working at once, or after `grace_hours`.
    """
    token = rows.new_token()

    def write(tx: Transaction) -> HookRow:
        hook = _hook(ctx, tx, asked.webhook)
        secret = None if hook.secret is None else new_webhook_secret()
        ctx.audit(tx, "incoming.rotate", hook.id, conversation=hook.conversation_id, grace_hours=asked.grace_hours)
        return rows.rotate(tx, hook, token, secret, tx.now + asked.grace_hours * HOUR_MS)

    return _with_secrets(ctx, await ctx.write(write), token)


def _check_may_add(ctx: Context, reader: Querying, asked: AddIncoming) -> int:
    """The key of the group. Raises `Refusal`, also for those who may not add a new bot to it."""
    if asked.bot is not None:
        conversation = _group(ctx, reader, asked.conversation)
    elif ctx.account is None:
        raise Refusal("invalid", "name a bot that is a member of the group", path="bot")
    else:
        conversation = access_to_manage(reader, ctx.account, asked.conversation).key
    most = ctx.settings(WebhooksSettings).incoming_per_conversation
    rows.check_room(reader, conversation, asked.name, most)
    return conversation


def _group(ctx: Context, reader: Querying, id: str, *, reads: bool = False) -> int:
    """The key of a group whose webhooks the requester may manage. Raises `Refusal`; whether there is a direct
    conversation only its two users learn."""
    if ctx.may(MANAGE, reads=reads):
        row = reader.execute("SELECT key FROM conversations WHERE id = ? AND kind = 'group'", (id,)).fetchone()
        if row is not None:
            return row[0]
        if ctx.account is None:
            raise Refusal("not_found", "no such conversation", path="conversation")
    return access_to_manage(reader, ctx.me, id).key


def _hook(ctx: Context, tx: Transaction, id: str) -> HookRow:
    """A webhook that the requester may manage. For those who are not in its group it does not exist."""
    hook = rows.find(tx, id)
    try:
        _group(ctx, tx, hook.conversation_id)
    except Refusal as refusal:
        if refusal.code in ("not_found", "not_member"):
            raise rows.no_such_webhook() from None
        raise
    return hook


def _named_bot(ctx: Context, tx: Transaction, who: str) -> Account:
    ctx.check(MANAGE)  # a bot speaks for those who made it
    bot = find_person(tx, who, "bot")
    if not bot.bot:
        raise Refusal("invalid", f"{bot.handle} is not a bot", path="bot")
    return bot


def _make_member(ctx: Context, tx: Transaction, id: str, conversation: int, bot: Account) -> None:
    found = tx.execute(
        "SELECT 1 FROM members WHERE conversation = ? AND person = ? AND left_gid IS NULL", (conversation, bot.key)
    ).fetchone()
    if found is None:
        if ctx.account is None:
            raise Refusal("forbidden", "the bot is not a member of the group; name one that is", path="bot")
        add_member(tx, ctx.account, id, bot)


def _with_secrets(ctx: Context, hook: HookRow, token: str) -> IncomingSecrets:
    return IncomingSecrets(_shown(hook), ctx.url(f"in/{token}"), hook.secret)


def _shown(hook: HookRow) -> IncomingHook:
    shown = IncomingHook(
        hook.id, hook.name, hook.conversation_id, PersonRef(hook.bot_id, hook.bot_handle), hook.mentions_everyone,
        hook.secret is not None, hook.posts, rfc3339(hook.created_at),
    )  # fmt: skip
    return attrs.evolve(
        shown,
        used_at=rfc3339_or_none(hook.used_at),
        rotated_until=None if hook.old_until is None or hook.old_until <= now_ms() else rfc3339(hook.old_until),
    )


COMMANDS = (add_incoming, list_incoming, remove_incoming, rotate_incoming)
