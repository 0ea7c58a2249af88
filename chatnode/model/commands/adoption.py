"""Handing imported authors over to users."""

from __future__ import annotations

import attrs

from chatnode.model.fields import Who
from chatnode.model.people import Person


@attrs.define
class Adopt:
    """`author` is the handle or id of an imported author; without `person` it becomes an account of its own.

    `dry_run`: change nothing, say how much it would be.
    """

    author: Who
    person: Who | None = None
    dry_run: bool = False


@attrs.define
class Following:
    """How many messages, mentions and places in groups are the user's afterwards."""

    messages: int
    mentions: int
    groups: int


@attrs.define
class Adopted:
    """`person` is the user, as others see them; `dry_run`: nothing was changed."""

    person: Person
    moved: Following
    dry_run: bool
