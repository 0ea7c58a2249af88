"""People and what they may do."""

from __future__ import annotations

from typing import Any

import attrs


@attrs.frozen
class Person:
    """A user as others see them, or an author of imported messages (`imported`), as whom nobody can sign in.

    The flags are there only when they are true. `extra` is what plugins know of them, by the name of the plugin,
    where people are listed or asked for.
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


@attrs.define
class PersonRef:
    """A person named in passing: as sender, actor or reader."""

    id: str
    handle: str


@attrs.frozen
class Account:
    """A person as the node knows them. `key` is the database's own short key and never leaves the node."""

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
    """Where the account was imported from, as an author of messages; None for everybody who can sign in."""

    @property
    def imported(self) -> bool:
        """Whether it stands for an author elsewhere, and nobody can sign in to it."""
        return self.source is not None and self.erased_at is None

    @property
    def ref(self) -> PersonRef:
        return PersonRef(self.id, self.handle)
