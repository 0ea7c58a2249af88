"""The conversations that a person has, as far as this client has heard."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from chatnode.model.conversations import ConversationSettings, InboxEntry
from chatnode.model.messages import EVERYONE, Message
from chatnode.terminal.lines import marked_title, title_of
from chatnode.terminal.naming import read_number


class Desk:
    """Inbox entries by id, kept up with the events, and the numbers under which they were last listed."""

    def __init__(self, me: str) -> None:
        self._me = me
        self._entries: dict[str, InboxEntry] = {}
        self._numbered: list[str] = []

    def load(self, entries: Iterable[InboxEntry]) -> None:
        """Take a snapshot in place of what was known."""
        self._entries = {entry.conversation: entry for entry in entries}

    def put(self, entry: InboxEntry) -> None:
        self._entries[entry.conversation] = entry

    def drop(self, conversation: str) -> InboxEntry | None:
        return self._entries.pop(conversation, None)

    def entries(self) -> list[InboxEntry]:
        """A copy, which another thread may look through."""
        return list(self._entries.values())

    def get(self, conversation: str) -> InboxEntry | None:
        return self._entries.get(conversation)

    def number(self, conversations: Iterable[str]) -> None:
        """Remember what a list showed as 1, 2, 3."""
        self._numbered = list(conversations)

    def numbered(self, text: str) -> str | None:
        """The conversation that was listed under a number."""
        number = read_number(text)
        return self._numbered[number - 1] if number is not None and 0 < number <= len(self._numbered) else None

    def names(self) -> tuple[str, ...]:
        """How each is written for /open: `@ann`, `#tea`."""
        return tuple(marked_title(entry) for entry in self.entries())

    def handles(self) -> tuple[str, ...]:
        """Handles of users with whom there is a direct conversation."""
        return tuple(entry.peer.handle for entry in self.entries() if entry.peer is not None)

    def unread_elsewhere(self, conversation: str | None) -> int:
        """How many other conversations have something new."""
        return sum(entry.unread > 0 for entry in self.entries() if entry.conversation != conversation)

    # ---- what events change

    def posted(self, message: Message) -> None:
        entry = self._entries.get(message.conversation)
        if entry is None or message.seq <= entry.head:
            return
        own = message.sender.id == self._me
        named = not {self._me, EVERYONE}.isdisjoint(message.mentions or ())
        self.put(
            attrs.evolve(
                entry,
                head=message.seq,
                activity=message.gid,
                last=message,
                read_seq=message.seq if own else entry.read_seq,
                unread=0 if own else entry.unread + 1,
                mentions=0 if own else entry.mentions + named,
            )
        )

    def changed(self, message: Message) -> None:
        """A message was edited or deleted."""
        entry = self._entries.get(message.conversation)
        if entry is not None and entry.last is not None and entry.last.message == message.message:
            self.put(attrs.evolve(entry, last=message))

    def set(self, conversation: str, settings: ConversationSettings) -> None:
        entry = self._entries.get(conversation)
        if entry is not None:
            self.put(attrs.evolve(entry, settings=settings))

    def read(self, conversation: str, seq: int) -> None:
        entry = self._entries.get(conversation)
        if entry is not None and seq > entry.read_seq:
            unread = max(0, entry.head - seq)
            self.put(attrs.evolve(entry, read_seq=seq, unread=unread, mentions=entry.mentions if unread else 0))

    def renamed(self, conversation: str, title: str) -> str | None:
        """The title that a group had before, if this is another."""
        entry = self._entries.get(conversation)
        if entry is None or entry.kind == "direct" or entry.title == title:
            return None
        self.put(attrs.evolve(entry, title=title))
        return title_of(entry)
