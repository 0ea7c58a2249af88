"""Removing previews, and switching them off."""

from __future__ import annotations

from chatnode.api import (
    CHAT,
    MODERATE,
    Context,
    Querying,
    Transaction,
    access_conversation,
    access_to_delete_message,
    access_to_manage,
    command,
)
from chatnode_previews import storage
from chatnode_previews.links import MessageLink, links_of
from chatnode_previews.model import (
    MessagePreviews,
    OfPreviewSettings,
    PreviewRemoved,
    PreviewSettings,
    RemovePreviews,
    UpdatePreviewSettings,
)
from chatnode_previews.settings import PreviewsSettings


@command("previews.remove", permission=CHAT, limit="changes", repeatable=True)
async def remove_previews(ctx: Context, asked: RemovePreviews) -> MessagePreviews:
    """Remove the previews of a message, or that of one link, for everyone. They do not come back.

    For users who may delete the message: its sender, in a group the owner and admins, and moderators.
    """
    me, moderates = ctx.me, ctx.may(MODERATE)

    def write(tx: Transaction) -> MessagePreviews:
        place, message = access_to_delete_message(tx, me, asked.message, moderates=moderates)
        (key,) = tx.execute("SELECT key FROM messages WHERE id = ?", (asked.message,)).fetchone()
        links = [
            link for link in _links(tx, key, message.text, ctx.base_url) if asked.url is None or link.url == asked.url
        ]
        if storage.remove(tx, key, links):
            storage.record_preview_event(tx, place.key, message.seq, PreviewRemoved)
            if message.sender.id != me.id:
                ctx.audit(tx, "remove", asked.message)
        return MessagePreviews(storage.shown_of(tx, key))

    return await ctx.write(write)


def _links(tx: Transaction, message: int, text: str, base_url: str) -> list[MessageLink]:
    """The links in the text, which may not have been looked at yet, and those that are shown."""
    links = links_of(text, base_url)
    there = {link.url for link in links}
    return links + [MessageLink(each.url, each.url) for each in storage.shown_of(tx, message) if each.url not in there]


@command("previews.settings", permission=CHAT, reads=True)
async def show_settings(ctx: Context, asked: OfPreviewSettings) -> PreviewSettings:
    """Whether links in your messages, and in a conversation, get previews."""
    return await ctx.read(lambda reader: _settings(ctx, reader, asked.conversation))


@command("previews.settings.update", permission=CHAT, limit="changes", repeatable=True)
async def update_settings(ctx: Context, asked: UpdatePreviewSettings) -> PreviewSettings:
    """Switch previews of links on or off: for your own messages, or for a conversation.

    In a group, its owner and admins decide; in a direct conversation, both users do. Previews that are there stay.
    """

    def write(tx: Transaction) -> PreviewSettings:
        if asked.conversation is None:
            storage.switch_person(tx, ctx.me.key, on=asked.enabled)
        else:
            place = access_conversation(tx, ctx.me, asked.conversation)
            if place.kind == "group":
                access_to_manage(tx, ctx.me, asked.conversation)
            if storage.switch_conversation(tx, place.key, on=asked.enabled):
                ctx.audit(tx, "settings", asked.conversation, enabled=int(asked.enabled))
        return _settings(ctx, tx, asked.conversation)

    return await ctx.write(write)


def _settings(ctx: Context, reader: Querying, conversation: str | None) -> PreviewSettings:
    of_node = ctx.settings(PreviewsSettings)
    enabled_there = None
    if conversation is not None:
        place = access_conversation(reader, ctx.me, conversation)
        enabled_there = not storage.is_off(reader, conversation=place.key)
    return PreviewSettings(
        not storage.is_off(reader, person=ctx.me.key), of_node.enabled, of_node.direct, enabled_there
    )


COMMANDS = (remove_previews, show_settings, update_settings)
