"""Who is typing where: in memory only, for a few seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import attrs

from chatnode.model.people import PersonRef
from chatnode.model.presence import Typing
from chatnode.model.records import record
from chatnode.model.times import now_ms, rfc3339
from chatnode.protocol.envelopes import ephemeral_frame
from chatnode.routing.broadcast import Broadcaster
from chatnode.storage.presence.presence import PresenceAudience


class Typed(NamedTuple):
    """A user who is typing: until when, in milliseconds, and who must not be notified, by id."""

    person: PersonRef
    until: int
    blocked: frozenset[str] | set[str]


@record
class _Conversation:
    """The users who are typing in one conversation, by id."""

    id: str
    people: dict[str, Typed] = attrs.field(factory=dict[str, Typed])


class TypingBoard:
    """Everyone who is typing. Expired entries are removed when they are found or swept. `clock` returns milliseconds
    since 1970.

    Conversations are identified by key, users by id, as in the events of the log.
    """

    def __init__(self, telling: Broadcaster, seconds: float, clock: Callable[[], int] = now_ms) -> None:
        self._telling = telling
        self._clock = clock
        self._milliseconds = int(seconds * 1000)
        self._conversations: dict[int, _Conversation] = {}

    def __len__(self) -> int:
        return sum(len(each.people) for each in self._conversations.values())

    def until(self) -> int:
        """When a typing indicator set now will expire."""
        return self._clock() + self._milliseconds

    def start(self, person: PersonRef, key: int, id: str, blocked: set[str], until: int) -> None:
        """A user types; users in `blocked` are not notified."""
        typed = Typed(person, until, blocked)
        self._conversations.setdefault(key, _Conversation(id)).people[person.id] = typed
        self._push_typing(key, id, typed, rfc3339(until))

    def stop(self, person: str, key: int, *, push: bool = True) -> None:
        """A user stopped typing. If a message shows it, no push is needed."""
        conversation = self._conversations.get(key)
        if conversation is None:
            return
        typed = conversation.people.pop(person, None)
        if not conversation.people:
            del self._conversations[key]
        if typed is not None and push:
            self._push_typing(key, conversation.id, typed, None)

    def forget(self, key: int) -> None:
        """The conversation no longer accepts messages."""
        self._conversations.pop(key, None)

    def who(self, key: int) -> list[Typed]:
        """The users who are typing in a conversation now."""
        now = self._clock()
        conversation = self._conversations.get(key)
        return [typed for typed in conversation.people.values() if typed.until > now] if conversation else []

    def sweep(self) -> None:
        """Remove expired entries."""
        for key, conversation in list(self._conversations.items()):
            conversation.people = {typed.person.id: typed for typed in self.who(key)}
            if not conversation.people:
                del self._conversations[key]

    def _push_typing(self, key: int, id: str, typed: Typed, until: str | None) -> None:
        push = ephemeral_frame(Typing(id, typed.person, until))
        for other in self._telling.audience(PresenceAudience((key,), typed.blocked)):
            if other.ref.id != typed.person.id:
                self._telling.push(other, push)
        self._telling.flush_now()
