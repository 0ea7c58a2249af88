"""What handlers ask of, and tell, the part of the node that knows who is here now."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from chatnode.model.people import PersonRef
from chatnode.storage.presence import Circle, Mark


class Typed(NamedTuple):
    """Somebody types: until when, in milliseconds, and who shall not be told, by id."""

    person: PersonRef
    until: int
    blocked: frozenset[str] | set[str]


class LivePresence(Protocol):
    """Presence as it is in memory. None of it awaits."""

    def active(self, person: int) -> None:
        """Somebody does something now that shows that they are there."""
        ...

    def is_online(self, person: int) -> bool: ...

    def last_active(self, person: int) -> int | None:
        """In milliseconds, as far as it is not only in the database."""
        ...

    def marked(self, person: int, mark: Mark, circle: Circle) -> None:
        """What is stored of somebody's presence is `mark` now; whoever sees them there is told."""
        ...

    def erased(self, person: int, nobody: PersonRef, circle: Circle) -> None:
        """Somebody is no more, and is called `nobody` from now on; whoever saw them there is told that they went."""
        ...

    def is_hidden(self, person: int) -> bool: ...

    @property
    def typing(self) -> LiveTyping: ...


class LiveTyping(Protocol):
    """Typing as it is in memory; conversations by key, people by id."""

    def until(self) -> int:
        """When somebody who says now that they type will have stopped, in milliseconds."""
        ...

    def types(self, person: PersonRef, key: int, id: str, blocked: set[str], until: int) -> None:
        """Somebody types in the conversation with this key and id."""
        ...

    def stops(self, person: str, key: int) -> None: ...

    def who(self, key: int) -> list[Typed]:
        """Who types now."""
        ...
