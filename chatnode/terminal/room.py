"""The open conversation: which of its messages are on the screen, and putting further ones there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from chatnode.client import Client
from chatnode.errors import Refusal
from chatnode.model.conversations import InboxEntry
from chatnode.model.messages import Message
from chatnode.terminal.lines import Lines, local_time

PAGE = 20
"""Messages shown on opening, and by /more."""
_MOST_KNOWN = 500
_FILL = 200


class Room:
    """Shows messages in the order of seq, each once; a hole is filled before what comes after it.

    `write` prints a line; `days` says to print the day where it changes.
    """

    def __init__(
        self, client: Client, lines: Lines, write: Callable[[str], None], entry: InboxEntry, *, days: bool = True
    ) -> None:
        self._client = client
        self._lines = lines
        self._write = write
        self._days = days
        self.conversation = entry.conversation
        self.is_group = entry.kind == "group"
        self._first_seq = entry.head + 1  # of what is shown
        self._last_seq = entry.head
        self._day: date | None = None
        self._known: dict[str, Message] = {}

    @property
    def last_seq(self) -> int:
        """Everything up to here was shown."""
        return self._last_seq

    def newest(self, by: Callable[[Message], bool]) -> Message | None:
        """The last message shown that is such."""
        return next((message for message in reversed(self._known.values()) if by(message)), None)

    def known(self, message: str) -> Message | None:
        """A message that was shown, by its id."""
        return self._known.get(message)

    def changed(self, message: Message) -> bool:
        """Keep how a message is now; False when it was never shown, or is so already."""
        before = self._known.get(message.message)
        if before is None or _shown_of(before) == _shown_of(message):
            return False
        self._known[message.message] = message
        return True

    def forget(self, gone: Callable[[Message], bool]) -> None:
        """Messages that are no more; what they said is not quoted again."""
        self._known = {id: message for id, message in self._known.items() if not gone(message)}

    def handles(self) -> tuple[str, ...]:
        """Who has been heard here."""
        return tuple({message.sender.handle for message in list(self._known.values())})

    async def show_latest(self) -> bool:
        """The newest page; False when there is nothing to show."""
        messages = await self._client.history(self.conversation, limit=PAGE)
        if messages:
            self._first_seq, self._last_seq = messages[0].seq, messages[-1].seq
        await self._show(messages)
        return bool(messages)

    async def show_older(self) -> bool:
        """One more page from before; False when there is none."""
        older = await self._client.history(self.conversation, before=self._first_seq, limit=PAGE)
        if not older:
            return False
        self._first_seq = older[0].seq
        self._day = None
        newer = self._known
        self._known = {}
        await self._show(older)
        self._known |= newer
        self._day = None
        self._write(self._lines.note("/more shows older messages"))
        return True

    async def show_new(self, message: Message) -> None:
        """A message that was just posted. One that is on the screen already is not shown again."""
        if message.seq <= self._last_seq:
            return
        await self.fill(message.seq)
        self._last_seq = message.seq
        await self._show([message])

    def skip(self, message: Message) -> None:
        """Count a message as shown."""
        self._known[message.message] = message
        self._last_seq = max(self._last_seq, message.seq)

    async def fill(self, before: int | None = None) -> None:
        """Show what there is after the last one shown, up to and without `before`."""
        while before is None or self._last_seq + 1 < before:
            missing = await self._client.history(self.conversation, after=self._last_seq, before=before, limit=_FILL)
            if not missing:
                return
            self._last_seq = missing[-1].seq
            await self._show(missing)

    async def _show(self, messages: Sequence[Message]) -> None:
        for message in messages:
            quoted = await self._quoted(message) if message.reply_to is not None else None
            self._show_day(message)
            self._write(self._lines.message(message, quoted))
            self._known[message.message] = message
        while len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]

    def _show_day(self, message: Message) -> None:
        time = local_time(message.at)
        if self._days and time is not None and time.date() != self._day:
            self._day = time.date()
            self._write(self._lines.day(self._day))

    async def _quoted(self, message: Message) -> Message | None:
        assert message.reply_to is not None
        if message.reply_to in self._known:
            return self._known[message.reply_to]
        try:
            return await self._client.message(message.reply_to)
        except Refusal:
            return None  # deleted, or from before the reader's time


def _shown_of(message: Message) -> tuple[object, ...]:
    """What of a message is on the screen and can change."""
    return message.text, message.files, message.actions, message.deleted_at
