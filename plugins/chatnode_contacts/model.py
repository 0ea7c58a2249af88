"""What the commands take and give, and the events. Times are texts as everywhere, RFC 3339 in UTC."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

import attrs

from chatnode.api import Badge, Event, Items, Person, PersonRef, Text, Who, Whole

Nickname = Annotated[str, Text(100)]
Number = Annotated[str, Text(40)]
Note = Annotated[str, Text(2_000, free=True)]
RequestNote = Annotated[str, Text(500, free=True)]
LabelName = Annotated[str, Text(50, 1)]
Labels = Annotated[list[LabelName], Items(1_000)]  # the real bound is a setting: labels_per_contact
LabelKind = Literal["group", "tag"]
Sort = Literal["recent", "most_used", "name", "added"]
Direction = Literal["incoming", "outgoing"]
Limit = Annotated[int, Whole(1)]
Cursor = Annotated[str, Text(1_000, 1)]


# ---- what is shown


class _Named(TypedDict):
    id: str
    handle: str
    name: str


class ContactPerson(_Named, total=False):
    """The person, as everybody sees them."""

    avatar: str
    bot: bool
    deactivated: bool


class _Entry(TypedDict):
    person: ContactPerson
    added_at: str


class Contact(_Entry, total=False):
    """Somebody in one's contact list. Plain, as thousands may be shown together.

    `added_at` is the first time. `favourite` is there when it is true, `groups` and `tags` when there are any. These,
    `nickname`, `number` and `note` are the owner's own, and nobody else sees them. `last_interacted_at` is the newest
    message in the direct conversation. `weight` says how much the two talk: each message counts 1, and half after
    `half_life_days`. `presence` is there for whom one may see. In events there is neither of these two.
    """

    favourite: bool
    nickname: str
    number: str
    note: str
    groups: list[str]
    tags: list[str]
    last_interacted_at: str
    weight: float
    presence: Badge


@attrs.define
class ContactRequest:
    """`from` asks `to`. `request` is a number that grows."""

    request: int
    from_: Person
    to: Person
    at: str
    note: str = ""


@attrs.define
class Label:
    """A group or tag of one's own, and how many contacts have it."""

    kind: LabelKind
    name: str
    contacts: int


# ---- commands


@attrs.define
class AskContact:
    """`note` is for the one who is asked."""

    person: Who
    note: RequestNote = ""


@attrs.define
class Asked:
    """`requested`, or `accepted` at once when they had asked already."""

    state: Literal["requested", "accepted"]


@attrs.define
class OfPerson:
    person: Who


@attrs.define
class Accepted:
    """The new entry, and the direct conversation, where one is opened."""

    contact: Contact
    conversation: str | None = None


@attrs.define
class ListRequests:
    """`after` is the `next` of the page before."""

    direction: Direction = "incoming"
    limit: Limit = 50
    after: Annotated[int, Whole(1)] | None = None


@attrs.define
class RequestsGiven:
    """The newest first. `next` is absent on the last page."""

    requests: list[ContactRequest]
    next: int | None = None


@attrs.define
class ChangeContact:
    """What is left out stays as it is. An empty text takes away; `groups` and `tags` are all that the contact is to
    have."""

    person: Who
    favourite: bool | None = None
    nickname: Nickname | None = None
    number: Number | None = None
    note: Note | None = None
    groups: Labels | None = None
    tags: Labels | None = None


@attrs.define
class ContactGiven:
    contact: Contact


@attrs.define
class ListContacts:
    """`query` is words that nickname, name, handle or number contain, all of them, whatever the case and accents.
    `after` is the `next` of the page before, in the same sort."""

    sort: Sort = "recent"
    favourite: bool | None = None
    group: LabelName | None = None
    tag: LabelName | None = None
    query: Annotated[str, Text(200)] = ""
    limit: Limit = 50
    after: Cursor | None = None


@attrs.define
class ContactsGiven:
    """`next` is absent on the last page."""

    contacts: list[Contact]
    next: str | None = None


@attrs.define
class ListLabels:
    kind: LabelKind | None = None


@attrs.define
class LabelsGiven:
    labels: list[Label]


@attrs.define
class RenameLabel:
    """Case and accents of `name` do not count; `to` may differ from it in these alone."""

    kind: LabelKind
    name: LabelName
    to: LabelName


@attrs.define
class DeleteLabel:
    kind: LabelKind
    name: LabelName


@attrs.define
class LabelChanged:
    """How many contacts had it."""

    contacts: int


# ---- events


@attrs.define
class ContactAdded(Event):
    """Somebody is in the reader's list from now on, perhaps again."""

    name = "contacts.added"
    contact: Contact


@attrs.define
class ContactUpdated(Event):
    """What the reader wrote of a contact is another: here it is whole."""

    name = "contacts.updated"
    contact: Contact


@attrs.define
class ContactRemoved(Event):
    """Somebody is not in the reader's list any more: removed, or one of the two has blocked the other."""

    name = "contacts.removed"
    person: PersonRef


@attrs.define
class Relabelled(Event):
    """A group or tag of the reader was renamed or deleted: fetch the contacts anew."""

    name = "contacts.relabelled"


@attrs.define
class Requested(Event):
    """`from` asks `to`; goes to both."""

    name = "contacts.requested"
    request: ContactRequest


@attrs.define
class _Closed(Event):
    from_: PersonRef
    to: PersonRef


@attrs.define
class RequestAccepted(_Closed):
    """A request is answered: the two are contacts. Goes to both, as do the next two."""

    name = "contacts.request_accepted"


@attrs.define
class RequestDeclined(_Closed):
    """A request is answered: no."""

    name = "contacts.request_declined"


@attrs.define
class RequestCancelled(_Closed):
    """A request was withdrawn, or one of the two has blocked the other."""

    name = "contacts.request_cancelled"
