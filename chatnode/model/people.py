"""People and what they may do."""

from __future__ import annotations

from typing import Any

import attrs


@attrs.frozen
class Person:
    """Somebody with an account, as others see them.

    The flags are there only when they are true. `extra` is what plugins know of them, by the name of the plugin,
    where people are listed or asked for.
    """

    id: str
    handle: str
    name: str
    avatar: str | None = None
    bot: bool | None = None
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

    @property
    def ref(self) -> PersonRef:
        return PersonRef(self.id, self.handle)
