"""What the commands on segments take and give."""

from __future__ import annotations

from typing import Annotated, Any

from chatnode.api import After, Text, Who, Whole, record
from chatnode_crm.lists.model import ContactList
from chatnode_crm.naming import GroupName, GroupRef

Filter = dict[str, Any]
"""Of `crm_contacts`, as filters.md describes it."""


@record
class PreviewSegment:
    """`filter` is one of `crm_contacts` (see filters.md). `after` is the `next` of the previous page."""

    filter: Filter
    limit: Annotated[int, Whole(1)] = 50
    after: After | None = None


@record
class CreateSegment:
    """A dynamic list: who is on it follows from its filter. `owner` is the requester by default."""

    name: GroupName
    filter: Filter
    description: Annotated[str, Text(20_000, free=True)] = ""
    owner: Who | None = None


@record
class ChangeSegment:
    """Give a dynamic list another filter."""

    list: GroupRef
    filter: Filter


@record
class OfSegment:
    """A dynamic list, by its id or its name in any case."""

    list: GroupRef


@record
class SegmentReply:
    """`list` has the filter. `work` is the work that brings the members up to date, where one was started.

    `broken` says why the filter cannot be used, such as a tag that was deleted; until it is changed, nothing can be
    done with the list. `count` is how many contacts match now, and `checked_at` when the members were last up to date.
    """

    list: ContactList
    work: str | None = None
    broken: str | None = None
    count: int | None = None
    checked_at: str | None = None
