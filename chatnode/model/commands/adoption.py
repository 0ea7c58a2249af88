"""Handing imported authors over to users."""

from __future__ import annotations

from chatnode.model.fields import Who
from chatnode.model.people import Person
from chatnode.model.records import record


@record
class Adopt:
    """`author` is the handle or id of an imported author. Without `person`, it becomes an account of its own.

    `dry_run`: change nothing, only count.
    """

    author: Who
    person: Who | None = None
    dry_run: bool = False


@record
class Following:
    """How many messages, mentions and memberships are handed over."""

    messages: int
    mentions: int
    groups: int


@record
class Adopted:
    """`person` is the user's profile. `dry_run`: nothing was changed."""

    person: Person
    moved: Following
    dry_run: bool
