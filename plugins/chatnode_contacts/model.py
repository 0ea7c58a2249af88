"""Requests, replies and events. Times are RFC 3339 in UTC."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from chatnode.api import After, Badge, Event, Items, Person, PersonRef, Text, Who, Whole, record

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


# ---- what is shown


class _Named(TypedDict):
    id: str
    handle: str
    name: str


class ContactPerson(_Named, total=False):
    """The contact's public profile."""

    avatar: str
    bot: bool
    deactivated: bool


class _Entry(TypedDict):
    person: ContactPerson
    added_at: str


class Contact(_Entry, total=False):
    """An entry in a contact list; compact, because lists may show thousands.

    `added_at` is the time it was first added. `favourite` is present only if true, `groups` and `tags` only if not
    empty. These, `nickname`, `number` and `note` are visible only to the owner. `last_interacted_at` is the newest
    message in the direct conversation. `weight` says how much the two talk: each message counts 1, and half after
    `half_life_days`. `presence` is present if the owner may see it. Events have neither of these two.
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


@record
class ContactRequest:
    """A request from `from` to `to`. `request` is an increasing number."""

    request: int
    from_: Person
    to: Person
    at: str
    note: str = ""


@record
class Label:
    """A group or tag, and the number of contacts in it."""

    kind: LabelKind
    name: str
    contacts: int


# ---- commands


@record
class AskContact:
    """`note` is a message to the other user."""

    person: Who
    note: RequestNote = ""


@record
class Asked:
    """`requested`, or `accepted` if they had already sent a request."""

    state: Literal["requested", "accepted"]


@record
class OfPerson:
    person: Who


@record
class Accepted:
    """The new entry, and the direct conversation, if one is opened."""

    contact: Contact
    conversation: str | None = None


@record
class ListRequests:
    """`after` is the `next` of the previous page."""

    direction: Direction = "incoming"
    limit: Limit = 50
    after: Annotated[int, Whole(1)] | None = None


@record
class ContactRequestPage:
    """Newest first. `next` is absent on the last page."""

    requests: list[ContactRequest]
    next: int | None = None


@record
class ChangeContact:
    """Omitted fields keep their values. An empty text removes the value; `groups` and `tags` replace all of the
    contact's."""

    person: Who
    favourite: bool | None = None
    nickname: Nickname | None = None
    number: Number | None = None
    note: Note | None = None
    groups: Labels | None = None
    tags: Labels | None = None


@record
class ContactReply:
    contact: Contact


@record
class ListContacts:
    """`query` has words that must all occur in nickname, name, handle or number, ignoring case and accents. `after`
    is the `next` of the previous page of the same sort."""

    sort: Sort = "recent"
    favourite: bool | None = None
    group: LabelName | None = None
    tag: LabelName | None = None
    query: Annotated[str, Text(200)] = ""
    limit: Limit = 50
    after: After | None = None


@record
class ContactPage:
    """`next` is absent on the last page."""

    contacts: list[Contact]
    next: str | None = None


@record
class ListLabels:
    kind: LabelKind | None = None


@record
class LabelList:
    labels: list[Label]


@record
class RenameLabel:
    """Case and accents of `name` are ignored; `to` may differ only in these."""

    kind: LabelKind
    name: LabelName
    to: LabelName


@record
class DeleteLabel:
    kind: LabelKind
    name: LabelName


@record
class LabelChanged:
    """`contacts` counts the contacts that had it."""

    contacts: int


# ---- events


@record
class ContactAdded(Event):
    """A user was added to the recipient's list, perhaps again."""

    name = "contacts.added"
    contact: Contact


@record
class ContactUpdated(Event):
    """An entry of the recipient's list changed; this is its new state."""

    name = "contacts.updated"
    contact: Contact


@record
class ContactRemoved(Event):
    """A user is no longer in the recipient's list: removed, or one of the two has blocked the other."""

    name = "contacts.removed"
    person: PersonRef


@record
class Relabelled(Event):
    """A group or tag of the recipient was renamed or deleted: fetch the contacts again."""

    name = "contacts.relabelled"


@record
class Requested(Event):
    """`from` sent a request to `to`. Sent to both."""

    name = "contacts.requested"
    request: ContactRequest


@record
class _Closed(Event):
    from_: PersonRef
    to: PersonRef


@record
class RequestAccepted(_Closed):
    """A request was accepted. Sent to both, like the next two."""

    name = "contacts.request_accepted"


@record
class RequestDeclined(_Closed):
    """A request was declined."""

    name = "contacts.request_declined"


@record
class RequestCancelled(_Closed):
    """A request was withdrawn, or one of the two has blocked the other."""

    name = "contacts.request_cancelled"
