"""What the commands on many contacts take and give."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from chatnode.api import Id, Items, Whole, record
from chatnode_crm.lists.model import ContactList, ListRefs
from chatnode_crm.naming import GroupName, GroupRef
from chatnode_crm.segments.selection import Selection
from chatnode_crm.tags.model import ContactTag, TagRefs

ContactIds = Annotated[list[Id], Items(10_000)]


@record
class ChangeMembers:
    """Give `contacts`, which are ids, or `select`: contacts of a list, that match a filter, or all."""

    list: GroupRef
    contacts: ContactIds | None = None
    select: Selection | None = None


@record
class BulkDone:
    """`changed` counts what has changed, for each list or tag. A large change is carried out by a `work` in the
    background instead, whose result has it. `missing` are the ids of contacts that do not exist."""

    missing: list[str]
    changed: int | None = None
    work: str | None = None


@record
class CopyList:
    """The copy is called "Name (Copy)" unless it is given a `name`. That of a dynamic list is a static one."""

    list: GroupRef
    name: GroupName | None = None


@record
class MergeLists:
    """What happens to the lists that are merged `into` another: they stay, are archived or are deleted."""

    sources: ListRefs
    into: GroupRef
    sources_then: Literal["keep", "archive", "delete"] = "keep"


@record
class IntersectLists:
    """A new static list of the contacts that are on at least `at_least` of the lists; on all of them by default."""

    lists: ListRefs
    name: GroupName
    at_least: Annotated[int, Whole(1, 100)] | None = None


@record
class FilledList:
    """The list, and how many contacts it got; or the `work` that adds them in the background."""

    list: ContactList
    changed: int | None = None
    work: str | None = None


@record
class ApplyTags:
    """Give `contacts`, which are ids, or `select`: contacts of a list, that match a filter, or all."""

    tags: TagRefs
    contacts: ContactIds | None = None
    select: Selection | None = None


@record
class RemoveTags:
    """Give `contacts`, which are ids, or `select`. Without `tags`, they lose all of theirs."""

    contacts: ContactIds | None = None
    select: Selection | None = None
    tags: TagRefs = attrs.field(factory=list[str])


@record
class ClearTag:
    tag: GroupRef


@record
class MergeTags:
    """The `sources` are deleted: contacts that have one of them get the tag `into`."""

    sources: TagRefs
    into: GroupRef


@record
class FilledTag:
    """The tag, and how many contacts changed; or the `work` that changes them in the background."""

    tag: ContactTag
    changed: int | None = None
    work: str | None = None
