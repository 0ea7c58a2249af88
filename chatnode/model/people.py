"""Users and their roles."""

from __future__ import annotations

from typing import Any

from chatnode.model.records import record


@record(frozen=True)
class Person:
    """A user's public profile, or an author of imported messages (`imported`), which is not an account. Flags are
    present only when true. `extra` has what plugins add, by plugin name, in lists and profiles.
    """

    id: str
    handle: str
    name: str
    avatar: str | None = None
    bot: bool | None = None
    imported: bool | None = None
    deactivated: bool | None = None
    erased: bool | None = None
    extra: dict[str, Any] | None = None


@record
class PersonRef:
    """A reference to a user, as sender, actor or reader."""

    id: str
    handle: str


@record(frozen=True)
class Account:
    """A user as the node knows them. `key` is the database's internal key and never leaves the node."""

    key: int
    id: str
    handle: str
    name: str
    role: str
    avatar: str | None = None
    bot: bool = False
    deactivated_at: int | None = None
    erased_at: int | None = None
    source: str | None = None
    """The source that an author of messages was imported from; None for accounts that can sign in."""

    @property
    def imported(self) -> bool:
        """Whether this is an author of imported messages, not an account that can sign in."""
        return self.source is not None and self.erased_at is None

    @property
    def ref(self) -> PersonRef:
        return PersonRef(self.id, self.handle)
