"""Handing imported authors over to users."""

from __future__ import annotations

import attrs

from chatnode.model.fields import Who
from chatnode.model.people import Person


@attrs.define
class Adopt:
    """`author` is the handle or id of an imported author. Without `person`, it becomes an account of its own.

    `dry_run`: change nothing, only count.
    """

    author: Who
    person: Who | None = None
    dry_run: bool = False


@attrs.define
class Following:
    """How many messages, mentions and memberships are handed over."""

    messages: int
    mentions: int
    groups: int


@attrs.define
class Adopted:
    """`person` is the user's profile. `dry_run`: nothing was changed."""

    person: Person
    moved: Following
    dry_run: bool
