"""The client: a connection that lasts, commands, and events."""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from chatnode.client.feed import Item
from chatnode.client.parts import Parts, events_of, keep_connected
from chatnode.client.uploaded import (
    PATIENCE_SECONDS,
    DownloadOptions,
    Progress,
    Source,
    UploadedFile,
    UploadOptions,
    fields_of_files,
    id_of,
    ignore,
    name_of,
)
from chatnode.concurrency import require_trio
from chatnode.model.bots import OfferedCommand
from chatnode.model.cids import new_cid
from chatnode.model.commands.accounts import PersonPage
from chatnode.model.commands.conversations import ConversationDetails, ConversationPage, MemberPage, SettingsReply
from chatnode.model.commands.messages import InboxPage, Marked, MessagePage, MessageReply, Posted, ReceiptList
from chatnode.model.commands.presence import PresenceList, PresenceOf
from chatnode.model.commands.resume import Cursor
from chatnode.model.commands.search import SearchPage
from chatnode.model.commands.shared import ConversationReply, PersonReply
from chatnode.model.commands.slash import ActionInvocation, OfferedCommands, SlashRan
from chatnode.model.conversations import Conversation, ConversationSettings, Member, Visibility
from chatnode.model.messages import Media, Message, Receipt
from chatnode.model.people import Person, PersonRef
from chatnode.model.presence import Presence
from chatnode.protocol import codec

T = TypeVar("T")

UNREAD_BYTES = 2**20
"""Events kept for an app that does not take them, before further ones are left to the node."""


@asynccontextmanager
async def connect(
    url: str,
    token: str,
    *,
    cursor: Cursor | None = None,
    device: str | None = None,
    events: bool = True,
    tls: ssl.SSLContext | None = None,
    unread_bytes: int = UNREAD_BYTES,
) -> AsyncGenerator[Client]:
    """A client of the node at `url` (http or https), signed in with `token`; it stays connected until the block ends.

    With the `cursor` of an earlier client, events continue where that client stopped; without it, they begin with a
    `Reset`. If you only run commands, pass `events=False`.

    Raises `Unreachable`, `SignedOut` for a token that does not work, or the node's `Refusal`, when the first
    connection fails. Later connections are re-established automatically. Exceptions of the body pass through unchanged.
    """
    require_trio("chatnode.client.aio")
    async with keep_connected(
        url, token, cursor=cursor, device=device, events=events, tls=tls, unread_bytes=unread_bytes
    ) as parts:
        yield Client(parts)


class Client:
    """Made by `connect`.

    Commands of one task take effect in their order. While there is no connection they wait for the next one;
    one that was under way when it was lost is repeated where that is safe (what reads, posts, marks, also of
    plugins), and raises `ConnectionLost` where it is not. Every command raises the node's `Refusal`, or
    `SignedOut` when the node has ended the session. Cancelling one says nothing of whether it was carried out.
    """

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        """What it is made of: only for `chatnode.client.aio`."""
        self._link = parts.link
        self._calls = parts.calls
        self._feed = parts.feed
        self._transfers = parts.transfers

    @property
    def me(self) -> PersonRef:
        assert self._link.welcome is not None
        return self._link.welcome.me

    @property
    def epoch(self) -> str:
        """The node's epoch, which changes when a backup is restored there."""
        assert self._link.welcome is not None
        return self._link.welcome.epoch

    @property
    def session(self) -> int:
        """Which of the person's sessions this is, as `sessions.list` counts them."""
        assert self._link.welcome is not None
        return self._link.welcome.session

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._link.connected

    @property
    def cursor(self) -> Cursor | None:
        """Up to where events were dealt with: of the last item, that is, once the next one was asked for.

        To be kept with what the app made of them, and given to the next `connect`; `cursor` of an item is the same, for
        that item. None before the first.
        """
        return self._feed.dealt_with

    # ---- events

    def events(self) -> AsyncIterator[Item]:
        """The events in order, each once, also across lost connections: `Pushed`, and in between `Reset`,
        `Live` and `Interrupted`. For one task at a time: another that asks meanwhile gets a `RuntimeError`.

        Asking for the next one says that the last was dealt with. An app that is slow gets all the same
        everything; it is fetched when wanted. Raises `SignedOut` at its end.
        """
        return events_of(self._feed)

    # ---- commands

    async def call(self, name: str, /, **fields: Any) -> dict[str, Any]:
        """Any command, with its fields as they are on the wire; its result as plain values."""
        return await self._calls.ask(name, fields)

    async def post(
        self,
        conversation: str,
        text: str = "",
        *,
        cid: str | None = None,
        reply_to: str | None = None,
        files: Sequence[UploadedFile | str] = (),
    ) -> Posted:
        """Post a message; returns once it is on the node's disk. Sent again with the same `cid` it is the same
        message, however often and by whichever client of the person.

        `files` are what `upload` returned, or ids of uploaded files; `text` is then a caption. They are posted as
        images if all of them are known to be images.
        """
        return await self._ask(
            Posted,
            "messages.post",
            conversation=conversation,
            cid=cid or new_cid(),
            text=text,
            reply_to=reply_to,
            **fields_of_files(files),
        )

    async def edit(self, message: str, text: str) -> Message:
        """Edit one of the user's own messages."""
        return (await self._ask(MessageReply, "messages.edit", message=message, text=text)).message

    async def delete(self, message: str) -> Message:
        """Delete a message for all; what is left of it."""
        return (await self._ask(MessageReply, "messages.delete", message=message)).message

    async def search(self, query: str, *, limit: int | None = None, after: str | None = None) -> SearchPage:
        """Messages with the words of `query`, newest first; it takes the operators of docs/search.md."""
        return await self._ask(SearchPage, "search.messages", query=query, limit=limit, after=after)

    async def history(
        self, conversation: str, *, before: int | None = None, after: int | None = None, limit: int | None = None
    ) -> list[Message]:
        """A page of messages in ascending order: the newest, or those before or after a seq."""
        given = await self._ask(
            MessagePage, "messages.list", conversation=conversation, before=before, after=after, limit=limit
        )
        return given.messages

    async def message(self, message: str) -> Message:
        return (await self._ask(MessageReply, "messages.get", message=message)).message

    async def receipts(self, message: str) -> list[Receipt]:
        """Who got and read a message, and when."""
        return (await self._ask(ReceiptList, "receipts.list", message=message)).receipts

    async def settings(self, conversation: str, **changes: Any) -> ConversationSettings:
        """One's own settings of a conversation, with the fields of `conversations.settings` changed."""
        return (await self._ask(SettingsReply, "conversations.settings", conversation=conversation, **changes)).settings

    async def read(self, conversation: str, seq: int) -> Marked:
        """Say that everything up to `seq` was read."""
        return await self._ask(Marked, "receipts.read", conversation=conversation, seq=seq)

    async def delivered(self, conversation: str, seq: int) -> Marked:
        """Say that this device holds everything up to `seq`."""
        return await self._ask(Marked, "receipts.delivered", conversation=conversation, seq=seq)

    async def inbox(self, *, limit: int | None = None, after: int | None = None) -> InboxPage:
        """Conversations with last message, unread and mention counts, latest activity first."""
        return await self._ask(InboxPage, "inbox.list", limit=limit, after=after)

    async def direct(self, who: str) -> str:
        """The id of the direct conversation with a user, by handle or id; created if need be."""
        return (await self._ask(ConversationReply, "conversations.direct", **{"with": who})).conversation

    async def create_group(
        self, title: str, members: Sequence[str] = (), *, visibility: Visibility | None = None, description: str = ""
    ) -> str:
        """Create a group; returns its id."""
        given = await self._ask(
            ConversationReply,
            "conversations.create",
            title=title,
            members=list(members),
            visibility=visibility,
            description=description,
        )
        return given.conversation

    async def conversation(self, conversation: str) -> ConversationDetails:
        return await self._ask(ConversationDetails, "conversations.get", conversation=conversation)

    async def public(self, query: str = "", *, after: str | None = None) -> list[Conversation]:
        """Public groups whose title has `query`."""
        given = await self._ask(ConversationPage, "conversations.public", query=query, after=after)
        return given.conversations

    async def join(self, conversation: str) -> None:
        await self.call("conversations.join", conversation=conversation)

    async def leave(self, conversation: str) -> None:
        await self.call("conversations.leave", conversation=conversation)

    async def members(self, conversation: str, *, after: str | None = None) -> list[Member]:
        """A page of participants in the order of handles; `after` takes the last one."""
        given = await self._ask(MemberPage, "conversations.members.list", conversation=conversation, after=after)
        return given.members

    async def add_member(self, conversation: str, member: str) -> None:
        await self.call("conversations.members.add", conversation=conversation, member=member)

    async def remove_member(self, conversation: str, member: str) -> None:
        await self.call("conversations.members.remove", conversation=conversation, member=member)

    async def person(self, who: str) -> Person:
        """A user's profile, by handle or id."""
        return (await self._ask(PersonReply, "people.get", person=who)).person

    async def block(self, who: str) -> None:
        """Block a user, by handle or id."""
        await self.call("people.block", person=who)

    async def unblock(self, who: str) -> None:
        await self.call("people.unblock", person=who)

    async def blocked(self) -> list[Person]:
        return (await self._ask(PersonPage, "people.blocked")).people

    async def presence(self, people: Sequence[str]) -> list[Presence]:
        """Users' presence, by handles or ids; users whose presence is not visible are left out."""
        return (await self._ask(PresenceList, "presence.get", people=list(people))).people

    async def set_status(
        self, text: str | None = None, *, emoji: str | None = None, seconds: int | None = None
    ) -> Presence:
        """Set the user's status, for some seconds or until it changes; no arguments clear it."""
        return (await self._ask(PresenceOf, "presence.status", text=text, emoji=emoji, seconds=seconds)).presence

    async def typing(self, conversation: str, *, stop: bool | None = None) -> None:
        """Show that the user is typing; repeat every few seconds while they do."""
        await self.call("typing", conversation=conversation, **({"stop": stop} if stop is not None else {}))

    # ---- slash commands and buttons

    async def slash_commands(self, conversation: str) -> list[OfferedCommand]:
        """The slash commands that the user can run in a conversation."""
        return (await self._ask(OfferedCommands, "slash.list", conversation=conversation)).commands

    async def run_slash(self, conversation: str, text: str, *, cid: str | None = None) -> SlashRan:
        """Run a slash command, such as `/deploy main`. A bot's answers are events; sent again with the same `cid`, it
        is not run again."""
        return await self._ask(SlashRan, "slash.run", conversation=conversation, text=text, cid=cid or new_cid())

    async def press(self, message: str, action: str, *, cid: str | None = None) -> ActionInvocation:
        """Press a button of a bot's message, by the id of the button."""
        return await self._ask(ActionInvocation, "actions.invoke", message=message, action=action, cid=cid or new_cid())

    # ---- files, with the plugin `attachments` of the node

    async def upload(
        self,
        source: Source,
        *,
        name: str | None = None,
        type: str | None = None,
        as_file: bool = False,
        progress: Progress | None = None,
        resume: str | None = None,
        created: Callable[[str], None] | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> UploadedFile:
        """Upload a file, to be posted within a day. `source` is a path, a file opened for reading bytes, or an async
        iterable of bytes; without a path, a `name` is needed.

        It continues by itself after lost connections and restarts of the node, and returns once all of it is on the
        node's disk, with the hash of what was sent. The node removes the metadata of pictures (places, dates), unless
        they are uploaded `as_file`; it decides on the type of a file by its content, and takes `type` as a hint.

        `progress` is called with the bytes done and the bytes in all, which are None for a stream. `created` is called
        with the id of an upload that can be resumed: if this program ends before, another one can pass the same path
        and the id as `resume`, and only the rest is sent.

        Raises the node's `Refusal`, `OSError` for what cannot be read, and `Unreachable` when nothing moved for
        `patience` seconds.
        """
        name = name_of(source) if name is None else name
        options = UploadOptions(name, type, as_file, progress or ignore, resume, created or ignore, patience)
        return await self._transfers.upload(source, options)

    async def download(
        self,
        file: UploadedFile | Media | str,
        target: str | os.PathLike[str],
        *,
        variant: str | None = None,
        overwrite: bool = False,
        progress: Progress | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> Path:
        """Download a file of a message, or a `variant` of it such as `thumb320`, to the path `target`.

        It continues by itself after lost connections, and where an earlier download to the same directory stopped, in
        `<id>.part`. `target` exists only once all of it is there with the hash that the node gives. Never take a
        `target` from the name of a file as it is: others chose it.

        Raises the node's `Refusal` (`unavailable` while the file is not scanned for viruses yet), `FileExistsError`,
        other `OSError`s, and `Unreachable` when nothing came for `patience` seconds.
        """
        path = Path(target)
        await self._transfers.download(
            id_of(file), path, DownloadOptions(variant, overwrite, progress or ignore, patience)
        )
        return path

    async def _ask(self, kind: type[T], name: str, /, **fields: Any) -> T:
        """A command whose fields that are None are left out."""
        given = {key: value for key, value in fields.items() if value is not None}
        return codec.read(await self._calls.ask(name, given), kind)
