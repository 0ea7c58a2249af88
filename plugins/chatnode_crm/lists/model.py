"""What the commands on lists take and give. Times are RFC 3339 in UTC."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from chatnode.api import After, Id, Items, PersonRef, Text, Who, Whole, record
from chatnode_crm.lists.finding import ListKind, Stage
from chatnode_crm.naming import GroupName, GroupRef

Markdown = Annotated[str, Text(20_000, free=True)]
Limit = Annotated[int, Whole(1)]
ListRefs = Annotated[list[GroupRef], Items(100)]
ShownStage = Literal["creation", "population", "execution", "analysis", "archive"]


# ---- what is shown


@record
class ContactList:
    """A list. `description` is Markdown. `filter` is that of a dynamic list, `stage` that of a campaign.

    `last_added_at` is when the newest of its contacts was added, `last_activity_at` when the list or its contacts last
    changed.
    """

    id: str
    name: str
    kind: ListKind
    is_active: bool
    contact_count: int
    created_at: str
    updated_at: str
    last_activity_at: str
    description: str | None = None
    filter: dict[str, Any] | None = None
    stage: ShownStage | None = None
    archived_at: str | None = None
    last_added_at: str | None = None
    owner: PersonRef | None = None


@record
class ListMember:
    """A contact, and when it was added to the list. `list_id` and `list_name` are present if no list was named."""

    contact: dict[str, Any]
    added_at: str
    list_id: str | None = None
    list_name: str | None = None


@record
class JoinedList:
    """A list that a contact is on, and since when."""

    list: ContactList
    added_at: str


# ---- commands


@record
class CreateList:
    """`owner` is the requester by default. Lists of the kind `dynamic` are made from a filter."""

    name: GroupName
    kind: Literal["static", "campaign"] = "static"
    description: Markdown = ""
    owner: Who | None = None


@record
class OfList:
    """A list, by its id or its name in any case."""

    list: GroupRef


@record
class ListReply:
    list: ContactList


@record
class ChangeList:
    """Omitted fields keep their values. An empty `description` removes it."""

    list: GroupRef
    name: GroupName | None = None
    description: Markdown | None = None
    owner: Who | None = None


@record
class MoveCampaign:
    """Move a campaign to its next stage, or back to an earlier one.

    It is populated as soon as it has a contact. Its contacts cannot be changed from `execution` on. The last stage,
    `archive`, is reached by archiving the list.
    """

    list: GroupRef
    stage: Stage


@record
class ListLists:
    """`active` false asks for archived lists, absent for all. `query` is what the name contains, ignoring case and
    accents. `after` is the `next` of the previous page."""

    active: bool | None = None
    kind: ListKind | None = None
    query: Annotated[str, Text(255)] = ""
    limit: Limit = 50
    after: After | None = None


@record
class ContactListPage:
    """In the order of names. `next` is absent on the last page."""

    lists: list[ContactList]
    next: str | None = None


@record
class AskMembers:
    """Without `list`, the members of all lists. `days`: only those who were added in the last days."""

    list: GroupRef | None = None
    days: Annotated[int, Whole(1, 36_500)] | None = None
    limit: Limit = 50
    after: After | None = None


@record
class ListMemberPage:
    """Those added last come first; those of a dynamic list in the order in which they were created. `next` is absent on
    the last page."""

    members: list[ListMember]
    next: str | None = None


@record
class ListsOfContact:
    """`archived`: also archived lists."""

    contact: Id
    archived: bool = False


@record
class JoinedLists:
    """In the order of names."""

    lists: list[JoinedList]


@record
class OverlapOfLists:
    """Contacts that are on at least `at_least` of the lists; on all of them by default."""

    lists: ListRefs
    at_least: Annotated[int, Whole(1, 100)] | None = None
    limit: Limit = 50
    after: After | None = None
