"""What the commands on tags take and give. Times are RFC 3339 in UTC."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from chatnode.api import After, Id, Items, Text, Whole, record
from chatnode_crm.naming import GroupName, GroupRef

Color = Annotated[str, Text(7, hint="expected # and six hexadecimal digits, such as #FF5733")]
Limit = Annotated[int, Whole(1)]
TagRefs = Annotated[list[GroupRef], Items(100)]
TagOrder = Literal["name", "contacts"]


@record
class ContactTag:
    """A tag. `color` is #6B7280 unless it has one of its own."""

    id: str
    name: str
    color: str
    contact_count: int
    created_at: str
    updated_at: str


@record
class CreateTag:
    """`color` has the form #RRGGBB; without one, the tag is shown in #6B7280."""

    name: GroupName
    color: Color = ""


@record
class OfTag:
    """A tag, by its id or its name in any case."""

    tag: GroupRef


@record
class TagReply:
    tag: ContactTag


@record
class ChangeTag:
    """Omitted fields keep their values. An empty `color` is the default."""

    tag: GroupRef
    name: GroupName | None = None
    color: Color | None = None


@record
class ListTags:
    """In the order of names, or those that most contacts have first. `query` is what the name contains, ignoring case
    and accents. `after` is the `next` of the previous page, with the same `sort`."""

    sort: TagOrder = "name"
    query: Annotated[str, Text(255)] = ""
    limit: Limit = 50
    after: After | None = None


@record
class ContactTagPage:
    """`next` is absent on the last page."""

    tags: list[ContactTag]
    next: str | None = None


@record
class TagsOfContact:
    contact: Id


@record
class GivenTag:
    """A tag that a contact has, and since when."""

    tag: ContactTag
    tagged_at: str


@record
class GivenTags:
    """In the order of names."""

    tags: list[GivenTag]


@record
class ContactsOfTags:
    """Contacts that have at least one tag of `any`, each tag of `all` and no tag of `none`; lists that are empty ask
    for nothing."""

    any: TagRefs = attrs.field(factory=list[str])
    all: TagRefs = attrs.field(factory=list[str])
    none: TagRefs = attrs.field(factory=list[str])
    limit: Limit = 50
    after: After | None = None
