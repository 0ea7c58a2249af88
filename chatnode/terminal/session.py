"""A person at a terminal: follows the events, shows the open conversation, says and marks what they say and read.

Four tasks share it: `follow` (events in), `work` (what the person entered, in order), `mark` (how far they have
read) and `catch_up` (with what was imported). What shows something takes the `turn`, so that one thing is shown at a
time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from shutil import get_terminal_size
from typing import Any

import trio

from chatnode.client import Client, Imports, Interrupted, Item, Live, Pushed, Reset, new_cid
from chatnode.concurrency import Signal
from chatnode.errors import ConnectionLost, Refusal
from chatnode.model import events
from chatnode.model.bots import PrivateNotice
from chatnode.model.conversations import InboxEntry
from chatnode.model.messages import Message
from chatnode.model.people import Person
from chatnode.terminal.desk import Desk
from chatnode.terminal.failures import reason_of
from chatnode.terminal.lines import Lines, is_muted, marked_title, summary, title_of
from chatnode.terminal.notifier import Notifier
from chatnode.terminal.offers import Offers
from chatnode.terminal.posting import post_patiently
from chatnode.terminal.printable import one_line, printable
from chatnode.terminal.room import Room

NOWHERE = "open a conversation first: /inbox, then /open 1; or /dm HANDLE"
INBOX = 30
"""Conversations that a list shows."""


class ChatSession:
    """`write` prints a line above the prompt, `refresh` draws the prompt again. With a `notifier`, the desktop tells of
    messages that are for the user."""

    def __init__(self, client: Client, lines: Lines, write: Callable[[str], None], refresh: Callable[[], None]) -> None:
        self.client = client
        self.lines = lines
        self.write = write
        self.desk = Desk(client.me.id)
        self.room: Room | None = None
        self.offers = Offers(client, self.note)
        self.notifier: Notifier | None = None
        self.turn = trio.Lock()
        self._refresh = refresh
        self._entered: deque[str] = deque()
        self._marks: dict[tuple[str, str], int] = {}
        self._imports = Imports()
        self._changed = Signal()
        self._begun = trio.Event()
        self._interrupted = False

    # ---- for the prompt

    @property
    def title(self) -> str:
        """Of the open conversation; empty when none is open."""
        entry = self.desk.get(self.room.conversation) if self.room else None
        return marked_title(entry) if entry else ""

    @property
    def status(self) -> str:
        parts = [f"{self.client.me.handle}", "connected" if self.client.connected else "reconnecting…"]
        elsewhere = self.desk.unread_elsewhere(self.room.conversation if self.room else None)
        if elsewhere:
            parts.append(f"{elsewhere} unread: /inbox")
        if self._entered:
            parts.append(f"{len(self._entered)} sending")
        return " · ".join(parts)

    def enter(self, line: str) -> None:
        """Take a line from the prompt; lines take effect in their order."""
        self._entered.append(line)
        self._note_change()

    def unsent(self) -> list[str]:
        """What was entered and is not carried out yet."""
        return list(self._entered)

    async def wait_done(self) -> None:
        """Until everything that was entered is carried out."""
        while self._entered:
            await self._changed.wait()

    # ---- tasks

    async def follow(self) -> None:
        """Shows what happens; ends with `SignedOut`."""
        async for item in self.client.events():
            await self._handle(item)
            self._refresh()

    async def work(self, run: Callable[[str], Awaitable[None]]) -> None:
        """Carries out what is entered. `run` is awaited for a /command; other lines are posted."""
        await self._begun.wait()
        while True:
            while not self._entered:
                await self._changed.wait()
            line = self._entered[0]
            try:
                await self._carry_out(line, run)
            except Exception as error:
                reason = reason_of(error)
                self.complain(reason if isinstance(error, Refusal) else f"{one_line(line, 200)}: {reason}")
            self._entered.popleft()
            self._note_change()
            self._refresh()

    async def _carry_out(self, line: str, run: Callable[[str], Awaitable[None]]) -> None:
        if _is_command(line):
            await run(line[1:])
        else:
            await self.say(line.removeprefix("/"))

    async def mark(self) -> None:
        """Tells the node how far the person has read, and this terminal got."""
        while True:
            while not self._marks:
                await self._changed.wait()
            (kind, conversation), seq = self._marks.popitem()
            try:
                await (self.client.read if kind == "read" else self.client.delivered)(conversation, seq)
            except (Refusal, ConnectionLost) as error:
                reason_of(error)  # else they are out of it since, or mark more once it is connected

    async def catch_up(self) -> None:
        """Looks again at conversations into which something was imported."""
        while True:
            event = await self._imports.next()
            try:
                entry = (await self.client.conversation(event.conversation)).you
            except (Refusal, ConnectionLost) as error:
                reason_of(error)  # else they are out of it since, or it is loaded once it is connected
            else:
                self.desk.put(entry)
                self._refresh()

    # ---- what the person does

    async def open(self, entry: InboxEntry) -> None:
        """Show a conversation and make it the one that is written to. Call it with the turn taken."""
        self.room = Room(self.client, self.lines, self.write, entry)
        self.write(self.lines.heading(entry))
        if not await self.room.show_latest():
            self.write(self.lines.note("no messages yet"))
        self._mark_read()
        await self.offers.load(entry.conversation)

    def leave_room(self) -> None:
        """Nothing is open: what was typed for a conversation that cannot be opened must not go to another."""
        self.offers.clear()
        self.room = None

    async def say(self, text: str, reply_to: str | None = None) -> None:
        """Post to the open conversation. It is on the screen once the node has it, when its event comes."""
        if self.room is None:
            self.complain(f"not sent: {NOWHERE}")
            self.write(self.lines.note(one_line(text, 500)))
            return
        try:
            await post_patiently(self.client, self.room.conversation, text, cid=new_cid(), reply_to=reply_to)
        except Refusal as refusal:
            self.complain(f"not sent: {reason_of(refusal)}")
            self.write(self.lines.note(one_line(text, 500)))

    async def list_inbox(self) -> None:
        """Show the inbox as the node has it now. Call it with the turn taken."""
        self.desk.load((await self.client.inbox(limit=500)).conversations)
        self._show_inbox()

    async def entry_of(self, conversation: str) -> InboxEntry:
        """The inbox entry of a conversation that the person takes part in, from the node if need be."""
        known = self.desk.get(conversation)
        if known is not None:
            return known
        entry = (await self.client.conversation(conversation)).you
        self.desk.put(entry)
        return entry

    def note(self, message: str) -> None:
        self.write(self.lines.note(one_line(message, 500)))

    def complain(self, message: str) -> None:
        self.write(self.lines.style.error(f"  ! {printable(message)}"))

    def _show_inbox(self) -> None:
        entries = sorted(self.desk.entries(), key=lambda entry: -entry.activity)[:INBOX]
        self.desk.number(entry.conversation for entry in entries)
        for line in self.lines.inbox(entries, get_terminal_size().columns):
            self.write(line)

    # ---- what happens

    async def _handle(self, item: Item) -> None:
        if isinstance(item, Interrupted):
            self._interrupted = True
            self.write(self.lines.note("connection lost; reconnecting…"))
        elif isinstance(item, Live):
            if self._interrupted:
                self._interrupted = False
                self.write(self.lines.note("connected"))
        else:
            async with self.turn:
                try:
                    await (self._reset(item) if isinstance(item, Reset) else self._happened(item))
                except Refusal as refusal:
                    reason_of(refusal)  # else it was about a conversation that they are out of since
                except ConnectionLost as error:
                    self.complain(reason_of(error))

    async def _reset(self, reset: Reset) -> None:
        self.desk.load(reset.inbox.conversations)
        if not self._begun.is_set():
            self._show_inbox()
            self._begun.set()
        elif self.room is not None:
            await self.room.fill()
            self._mark_read()

    async def _happened(self, pushed: Pushed) -> None:
        event = pushed.event
        if isinstance(event, events.MessagePosted):
            await self._posted(event)
        elif isinstance(event, events.ReceiptRead):
            if event.person.id == self.client.me.id:
                self.desk.read(event.conversation, event.seq)
        elif isinstance(event, events.MemberJoined):
            await self._joined(event)
        elif isinstance(event, events.MemberLeft):
            self._left(event)
        elif isinstance(event, events.ConversationUpdated):
            before = self.desk.renamed(event.conversation, event.details.title)
            if before is not None:
                self.write(self.lines.note(f"{before} is now called {one_line(event.details.title, 200)}"))
        elif isinstance(event, events.MessageEdited | events.MessageDeleted):
            await self._changed_message(event.message)
        elif isinstance(event, events.PersonErased):
            self._erased(event.person)
        elif isinstance(event, events.ConversationTrimmed):
            self._trimmed(event)
        elif isinstance(event, events.SettingsChanged):
            self.desk.set(event.conversation, event.settings)
        elif isinstance(event, events.PersonBlocked):
            how = "blocked" if event.blocked else "no longer block"
            self.write(self.lines.note(f"you {how} {event.person.handle}"))
        elif isinstance(event, events.NoticeSent):
            self._noticed(event.notice)
        elif pushed.name == "notification" and self.notifier is not None:
            self.notifier.notify_of_event(pushed.fields)
        elif pushed.name == "reaction.changed":
            self._reacted(pushed.fields)
        elif isinstance(event, events.ConversationImported):
            self._imports.note(event)

    async def _posted(self, event: events.MessagePosted) -> None:
        message = event.message
        entry = await self.entry_of(event.conversation)
        self.desk.posted(message)
        if self.room is not None and self.room.conversation == event.conversation:
            await self.room.show_new(message)
            self._mark_read()
        elif message.sender.id != self.client.me.id:
            if self._is_told(entry, message):
                self.write(self.lines.elsewhere(entry, message, get_terminal_size().columns))
            self._mark("delivered", event.conversation, message.seq)
        self._notify_of(entry, message)

    def _is_told(self, entry: InboxEntry, message: Message) -> bool:
        if entry.settings is not None and entry.settings.notify == "mentions" and not self.lines.is_mentioned(message):
            return False
        return not is_muted(entry)

    def _notify_of(self, entry: InboxEntry, message: Message) -> None:
        """Unless the node decides it, the desktop tells of direct messages and mentions, also in the open conversation:
        the terminal may be behind other windows."""
        if self.notifier is None or message.sender.id == self.client.me.id:
            return
        if self._is_told(entry, message) and (entry.kind == "direct" or self.lines.is_mentioned(message)):
            where = "" if entry.kind == "direct" else f" in {title_of(entry)}"
            self.notifier.notify_of_message(f"{message.sender.handle}{where}", summary(message))

    def _noticed(self, notice: PrivateNotice) -> None:
        """What only this user sees."""
        entry = self.desk.get(notice.conversation)
        is_here = self.room is not None and self.room.conversation == notice.conversation
        self.write(self.lines.private(notice, None if is_here or entry is None else marked_title(entry)))

    async def _changed_message(self, message: Message) -> None:
        self.desk.changed(message)
        if self.room is not None and self.room.changed(message):
            self.write(self.lines.deleted(message) if message.deleted_at else self.lines.edited(message))
        if message.deleted_at is not None and self.desk.get(message.conversation) is not None:
            # A deleted message no longer counts as unread, and the event does not say which users it mentioned.
            self.desk.put((await self.client.conversation(message.conversation)).you)

    def _erased(self, person: Person) -> None:
        if self.room is not None:
            self.room.forget(lambda message: message.sender.id == person.id)
        self.write(self.lines.note(f"{one_line(person.handle, 80)}: this account and its messages were erased"))

    def _trimmed(self, event: events.ConversationTrimmed) -> None:
        self.desk.read(event.conversation, event.floor)
        if self.room is not None and self.room.conversation == event.conversation:
            self.room.forget(lambda message: message.seq <= event.floor)
            self.write(self.lines.note("old messages were removed here"))

    def _reacted(self, fields: Mapping[str, Any]) -> None:
        """Of the plugin for reactions, if the node has it; its event is not the core's, and so not read by it."""
        try:
            message, person = str(fields["message"]), str(fields["person"]["handle"])
            emojis = [str(each) for each in fields["emojis"]]
        except (KeyError, TypeError):
            return  # of another version
        shown = self.room.known(message) if self.room is not None else None
        if shown is not None:
            self.write(self.lines.reacted(shown, person, emojis))

    async def _joined(self, event: events.MemberJoined) -> None:
        by = f" by {event.by.handle}" if event.by else ""
        if event.person.id == self.client.me.id:
            entry = await self.entry_of(event.conversation)
            if event.by is not None and entry.kind == "group":
                self.write(self.lines.note(f"you were added to {title_of(entry)}{by}"))
        elif self.room is not None and self.room.conversation == event.conversation and self.room.is_group:
            self.write(self.lines.note(f"{event.person.handle} " + (f"was added{by}" if by else "joined")))

    def _left(self, event: events.MemberLeft) -> None:
        is_open = self.room is not None and self.room.conversation == event.conversation
        how = f"was removed by {event.by.handle}" if event.by else "left"
        if event.person.id != self.client.me.id:
            if is_open:
                self.write(self.lines.note(f"{event.person.handle} {how}"))
            return
        gone = self.desk.drop(event.conversation)
        if is_open:
            self.leave_room()
        if gone is not None:
            how = f"were removed by {event.by.handle} from" if event.by else "left"
            self.write(self.lines.note(f"you {how} {title_of(gone)}"))

    def _mark_read(self) -> None:
        assert self.room is not None
        entry = self.desk.get(self.room.conversation)
        if entry is not None and entry.read_seq < self.room.last_seq:
            self.desk.read(self.room.conversation, self.room.last_seq)
            self._mark("read", self.room.conversation, self.room.last_seq)

    def _mark(self, kind: str, conversation: str, seq: int) -> None:
        self._marks[kind, conversation] = seq
        self._note_change()

    def _note_change(self) -> None:
        self._changed.notify()


def _is_command(line: str) -> bool:
    return line.startswith("/") and not line.startswith("//")
