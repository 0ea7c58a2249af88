"""Posting and reading messages."""

from __future__ import annotations

from typing import Any

import attrs

from chatnode.counting import counted
from chatnode.dispatch.caller import Caller
from chatnode.dispatch.hooks import RequestHooks
from chatnode.dispatch.subject import Subject
from chatnode.dispatch.table import HandlerResult, command, plain_command
from chatnode.errors import Refusal
from chatnode.model import permissions
from chatnode.model.actions import Actions
from chatnode.model.commands.messages import (
    DeleteMessage,
    EditionList,
    EditMessage,
    GetMessage,
    ListMessages,
    ListThread,
    MessagePage,
    MessageReply,
    Posted,
    PostMessage,
)
from chatnode.model.commands.shared import InConversation
from chatnode.model.messages import Edition, FileRef, Location, Media, MessageKind, Notice
from chatnode.protocol.envelopes import Encoded
from chatnode.storage.conversations import conversations
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.transaction import PlannedRead, PlannedWrite, Read
from chatnode.storage.filters.collections import messages as of_messages
from chatnode.storage.messages import buttons, checks, declared, mentions, messages, pages, posting, together
from chatnode.storage.messages import changes as message_changes
from chatnode.storage.messages.changes import Edit
from chatnode.storage.messages.pages import PageOf
from chatnode.storage.messages.posting import Draft


async def _posted_earlier(ctx: Caller, command: PostMessage) -> Posted | None:
    draft, sender = _draft(ctx, command), ctx.me
    return await ctx.read(lambda reader: posting.posted_earlier(reader, sender, draft))


@plain_command("messages.post", permission=permissions.CHAT, limit="posts", earlier=_posted_earlier, repeatable=True)
def post(ctx: Caller, asked: PostMessage) -> HandlerResult[Posted]:
    """Post a message. The reply comes when it is on disk; repeating the `cid` returns the same reply.

    A repeat does not count against the limit of messages.

    System messages need the permission `notices.post`, so that users can trust them.
    """
    _check_length(ctx, asked.text)
    if asked.kind == "system" and not ctx.may(permissions.NOTIFY):
        raise Refusal("forbidden", f"system messages need the permission {permissions.NOTIFY}", path="kind")
    hooks = ctx.core.part(RequestHooks)
    if asked.metadata and (refusal := hooks.refusal_of(asked.metadata, ctx.plugin)) is not None:
        return _posted_earlier_or(ctx, asked, refusal)
    draft = _draft(ctx, asked)
    path_of_file = "media" if asked.media is not None else "files.{}"
    if hooks.prepare_draft is not None and hooks.wants_draft(draft):
        return _prepare_and_post(ctx, draft, path_of_file)
    return _plan(ctx, draft, path_of_file)


async def _posted_earlier_or(ctx: Caller, asked: PostMessage, refusal: Refusal) -> Posted:
    """The stored result if this repeats a post from before the plugin was installed; else raises `refusal`."""
    if (earlier := await _posted_earlier(ctx, asked)) is None:
        raise refusal
    return earlier


def _draft(ctx: Caller, command: PostMessage) -> Draft:
    draft = Draft(
        command.conversation, command.cid, command.text, command.reply_to, command.thread, command.kind,
        _content(ctx, command), command.metadata, sender=ctx.me.id,
    )  # fmt: skip
    if command.kind in _WITH_FILES:
        draft.files = _files(ctx, command)
        draft.sent = posting.as_sent(draft)
    elif command.actions:
        draft.sent = posting.as_sent(draft)
    return draft


def _plan(ctx: Caller, draft: Draft, path_of_file: str) -> PlannedWrite[Posted]:
    if draft.files:
        posting.complete_files(draft, path_of_file)
    sender, everyone_members = ctx.me, ctx.core.config.limits.everyone_members
    return together.post(sender, draft, everyone_members)


async def _prepare_and_post(ctx: Caller, draft: Draft, path_of_file: str) -> Posted:
    """Plugins prepare a draft only if the sender may post it and it is not stored yet."""
    sender = ctx.me

    def look(reader: Reader) -> Posted | None:
        earlier = posting.posted_earlier(reader, sender, draft)
        if earlier is None:
            posting.check_may_post(reader, sender, draft)
        return earlier

    async with ctx.core.preparing.hold((sender.key, draft.cid)):  # a repeat waits and is not prepared again
        if (earlier := await ctx.read(look)) is not None:
            return earlier
        await _prepare(ctx, draft)
        return await ctx.carry_out(_plan(ctx, draft, path_of_file))


async def _prepare(ctx: Caller, draft: Draft) -> None:
    prepare = ctx.core.part(RequestHooks).prepare_draft
    assert prepare is not None
    await prepare(ctx, draft)
    _check_length(ctx, draft.text)
    _check_number_of_files(ctx, len(draft.files))


_WITH_FILES = ("image", "file")
_FIELDS: dict[MessageKind, tuple[str, ...]] = {
    "text": (), "image": ("files", "media"), "file": ("files", "media"), "location": ("location",),
    "system": ("system",),
}  # fmt: skip


def _content(ctx: Caller, command: PostMessage) -> Location | Notice | Actions | None:
    """The content for the kind of message, if it is not files; raises `Refusal` if it is missing or belongs to another
    kind."""
    others = command.media or command.location or command.system or command.files is not None or command.actions
    if command.kind == "text" and command.text and not others:
        return None  # nearly always
    fields = _FIELDS[command.kind]
    given: dict[str, Any] = {name: getattr(command, name) for name in ("files", "media", "location", "system")}
    for name, content in given.items():
        if content is not None and name not in fields:
            raise Refusal("invalid", f"a message of kind {command.kind} has no {name}", path=name)
    if fields and not any(given[name] for name in fields):
        raise Refusal("invalid", f"{fields[0]} is missing; a message of kind {command.kind} needs it", path=fields[0])
    if not command.text and command.kind == "text":
        raise Refusal("invalid", "text has 0 characters; the minimum is 1", path="text")
    if command.actions:
        return buttons.as_content(ctx.me, command.kind, command.actions)
    return command.location or command.system


def _files(ctx: Caller, command: PostMessage) -> list[FileRef | Media]:
    """The files that the client named; raises `Refusal`."""
    if command.media is not None:
        if command.files is not None:
            raise Refusal("invalid", "give either files or media, which is one file", path="media")
        return [command.media]
    files = command.files or []
    _check_number_of_files(ctx, len(files))
    named: set[str] = set()
    for place, each in enumerate(files):
        if each.file in named:
            raise Refusal("invalid", "the same file is in the list before", path=f"files.{place}")
        named.add(each.file)
    return [*files]


def _check_number_of_files(ctx: Caller, number: int) -> None:
    most = ctx.core.config.limits.files_per_message
    if most and number > most:
        raise Refusal("too_large", f"a message has at most {counted(most, 'file')}", path="files")


@plain_command("messages.list", permission=permissions.CHAT, reads=True)
def list_page(ctx: Caller, asked: ListMessages) -> HandlerResult[MessagePage | Encoded]:
    """A page of a conversation's history in ascending order: the newest, or before or after a seq.

    To filter and sort: `items.query` of `messages`.
    """
    me, limit = ctx.me, ctx.page_size(asked.limit)

    def page(reader: Reader) -> PageOf:
        place = conversations.access(reader, me, asked.conversation)
        return pages.history(place, before=asked.before, after=asked.after, limit=limit)

    return _page(ctx, page)


def _page(ctx: Caller, page: Read[PageOf]) -> HandlerResult[MessagePage | Encoded]:
    """Find and read the page in one snapshot. For a client its JSON is made in the reader thread as well."""
    me = ctx.me
    if ctx.takes_json:
        return PlannedRead(lambda reader: Encoded(pages.read_json(reader, me, page(reader))))
    return PlannedRead(lambda reader: MessagePage(pages.read(reader, me, page(reader))))


@command("messages.get", permission=permissions.CHAT, reads=True)
async def get(ctx: Caller, asked: GetMessage) -> MessageReply:
    """One message by id."""

    def read(reader: Reader) -> MessageReply:
        _, message = messages.access(reader, ctx.me, asked.message)
        return MessageReply(messages.enrich(reader, [message], ctx.me)[0])

    return await ctx.read(read)


@command("messages.edit", permission=permissions.CHAT, limit="posts")
async def edit(ctx: Caller, asked: EditMessage) -> MessageReply:
    """Edit your message; others can see its previous versions.

    Editing a system message needs the permission `notices.post`, like posting one.
    """
    _check_length(ctx, asked.text)
    limits, me = ctx.core.config.limits, ctx.me
    wanted = Edit(
        asked.message, asked.text, ctx.may(permissions.NOTIFY), limits.edit_minutes, limits.edits, asked.actions
    )
    hooks = ctx.core.part(RequestHooks)
    if hooks.prepare_draft is not None:
        _, message = await ctx.read(lambda reader: message_changes.access_to_edit(reader, me, wanted))
        draft = Draft(
            message.conversation, message.cid, asked.text, message.reply_to, message.thread, message.kind,
            message.location or message.system, message.metadata, [*(message.files or ())], asked.message, me.id,
        )  # fmt: skip
        if hooks.wants_draft(draft):
            await _prepare(ctx, draft)
            wanted = attrs.evolve(wanted, text=draft.text)
    return MessageReply(await ctx.write(lambda tx: message_changes.edit(tx, me, wanted)))


@command("messages.history", permission=permissions.CHAT, reads=True)
async def history(ctx: Caller, asked: GetMessage) -> EditionList:
    """All versions of a message, from the original to the current one.

    Moderators of the node also see those of reported messages.

    To filter and sort: `items.query` of `message_edits`.
    """
    moderates = ctx.may(permissions.MODERATE)

    def read(reader: Reader) -> list[Edition]:
        return message_changes.editions(reader, ctx.me, asked.message, moderates=moderates)

    return EditionList(await ctx.read(read))


@command("messages.delete", permission=permissions.CHAT)
async def delete(ctx: Caller, asked: DeleteMessage) -> MessageReply:
    """Delete a message and all its versions for everyone. A placeholder stays, with the user who deleted it and the
    reason.

    You can delete your own messages and, as owner or admin of a group, those of members of lower rank. Moderators of
    the node can delete every message that they may see or that was reported.
    """
    moderates = ctx.may(permissions.MODERATE)
    return MessageReply(
        await ctx.write(lambda tx: message_changes.delete(tx, ctx.me, asked.message, asked.reason, moderates=moderates))
    )


@command("messages.pin", permission=permissions.CHAT, limit="changes")
async def pin(ctx: Caller, asked: GetMessage) -> MessageReply:
    """Pin a message for everyone; in a group, only the owner and admins can."""
    most = ctx.core.config.limits.pins
    return MessageReply(await ctx.write(lambda tx: message_changes.pin(tx, ctx.me, asked.message, most)))


@command("messages.unpin", permission=permissions.CHAT, limit="changes")
async def unpin(ctx: Caller, asked: GetMessage) -> MessageReply:
    """Unpin a message."""
    return MessageReply(await ctx.write(lambda tx: message_changes.unpin(tx, ctx.me, asked.message)))


@plain_command("messages.pinned", permission=permissions.CHAT, reads=True, active=False)
def pinned(ctx: Caller, asked: InConversation) -> HandlerResult[MessagePage | Encoded]:
    """The pinned messages of a conversation, most recently pinned first.

    To filter and sort: `items.query` of `messages`.
    """
    me, most = ctx.me, ctx.page_size(1_000)

    def page(reader: Reader) -> PageOf:
        return pages.pinned(conversations.access(reader, me, asked.conversation), most)

    return _page(ctx, page)


@plain_command("messages.thread", permission=permissions.CHAT, reads=True)
def thread(ctx: Caller, asked: ListThread) -> HandlerResult[MessagePage | Encoded]:
    """A page of a message's thread, in ascending order.

    To filter and sort: `items.query` of `messages`.
    """
    me, limit = ctx.me, ctx.page_size(asked.limit)

    def page(reader: Reader) -> PageOf:
        place, root = messages.access(reader, me, asked.message)
        return pages.thread(place, root.seq, asked.after, limit)

    return _page(ctx, page)


def _check_length(ctx: Caller, text: str) -> None:
    most = ctx.core.config.limits.message_chars
    if most and len(text) > most:
        raise Refusal("too_large", f"a message has at most {counted(most, 'character')}", path="text")


SUBJECT = Subject(
    commands=(post, list_page, get, edit, history, delete, pin, unpin, pinned, thread),
    events=declared.EVENTS,
    tables=(*declared.TABLES, *message_changes.TABLES, *mentions.TABLES),
    checks=checks.CHECKS,
    derived=checks.DERIVED,
    collections=of_messages.COLLECTIONS,
)
