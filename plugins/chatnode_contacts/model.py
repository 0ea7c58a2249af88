"""Requests, replies and events. Times are RFC 3339 in UTC."""

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


@attrs.define
class ContactRequest:
    """A request from `from` to `to`. `request` is an increasing number."""

    request: int
    from_: Person
    to: Person
    at: str
    note: str = ""


@attrs.define
class Label:
    """A group or tag, and the number of contacts in it."""

    kind: LabelKind
    name: str
    contacts: int


# ---- commands


@attrs.define
class AskContact:
    """`note` is a message to the other user."""

    person: Who
    note: RequestNote = ""


@attrs.define
class Asked:
    """`requested`, or `accepted` if they had already sent a request."""

    state: Literal["requested", "accepted"]


@attrs.define
class OfPerson:
    person: Who


@attrs.define
class Accepted:
    """The new entry, and the direct conversation, if one is opened."""

    contact: Contact
    conversation: str | None = None


@attrs.define
class ListRequests:
    """`after` is the `next` of the previous page."""

    direction: Direction = "incoming"
    limit: Limit = 50
    after: Annotated[int, Whole(1)] | None = None


@attrs.define
class ContactRequestPage:
    """Newest first. `next` is absent on the last page."""

    requests: list[ContactRequest]
    next: int | None = None


@attrs.define
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


@attrs.define
class ContactReply:
    contact: Contact


@attrs.define
class ListContacts:
    """`query` has words that must all occur in nickname, name, handle or number, ignoring case and accents. `after`
    is the `next` of the previous page of the same sort."""

    sort: Sort = "recent"
    favourite: bool | None = None
    group: LabelName | None = None
    tag: LabelName | None = None
    query: Annotated[str, Text(200)] = ""
    limit: Limit = 50
    after: Cursor | None = None


@attrs.define
class ContactPage:
    """`next` is absent on the last page."""

    contacts: list[Contact]
    next: str | None = None


@attrs.define
class ListLabels:
    kind: LabelKind | None = None


@attrs.define
class LabelList:
    labels: list[Label]


@attrs.define
class RenameLabel:
    """Case and accents of `name` are ignored; `to` may differ only in these."""

    kind: LabelKind
    name: LabelName
    to: LabelName


@attrs.define
class DeleteLabel:
    kind: LabelKind
    name: LabelName


@attrs.define
class LabelChanged:
    """`contacts` counts the contacts that had it."""

    contacts: int


# ---- events


@attrs.define
class ContactAdded(Event):
    """A user was added to the recipient's list, perhaps again."""

    name = "contacts.added"
    contact: Contact


@attrs.define
class ContactUpdated(Event):
    """An entry of the recipient's list changed; this is its new state."""

    name = "contacts.updated"
    contact: Contact


@attrs.define
class ContactRemoved(Event):
    """A user is no longer in the recipient's list: removed, or one of the two has blocked the other."""

    name = "contacts.removed"
    person: PersonRef


@attrs.define
class Relabelled(Event):
    """A group or tag of the recipient was renamed or deleted: fetch the contacts again."""

    name = "contacts.relabelled"


@attrs.define
class Requested(Event):
    """`from` sent a request to `to`. Sent to both."""

    name = "contacts.requested"
    request: ContactRequest


@attrs.define
class _Closed(Event):
    from_: PersonRef
    to: PersonRef


@attrs.define
class RequestAccepted(_Closed):
    """A request was accepted. Sent to both, like the next two."""

    name = "contacts.request_accepted"


@attrs.define
class RequestDeclined(_Closed):
    """A request was declined."""

    name = "contacts.request_declined"


@attrs.define
class RequestCancelled(_Closed):
    """A request was withdrawn, or one of the two has blocked the other."""

    name = "contacts.request_cancelled"
