"""Requests and replies. Times are RFC 3339 in UTC."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypedDict

import attrs

from chatnode.api import After, Id, Items, Text, Whole, record
from chatnode_crm.contacts.fields import FieldKind

Value = Annotated[str, Text(100_000, free=True)]  # the real bounds are those of `values.py`
OwnerRef = Annotated[str, Text(63)]
Reason = Annotated[str, Text(200, 1)]
NoteText = Annotated[str, Text(65_535, 1, free=True)]
FieldRef = Annotated[str, Text(60, 1, hint="expected the name or id of a custom field")]
FieldName = Annotated[
    str, Text(60, 1, r"[^\W\d_][\w-]*", hint="must begin with a letter and consist of letters, digits, _ and -")
]
Choices = Annotated[list[Annotated[str, Text(100, 1)]], Items(1_000)]
Limit = Annotated[int, Whole(1)]
Gid = Annotated[int, Whole(0)]
Custom = dict[str, Any]
MOST_ROWS = 1_000


# ---- what is shown


class UserRef(TypedDict):
    id: str
    handle: str


class _Stored(TypedDict):
    id: str
    source: str
    version: int
    created_at: str
    updated_at: str


class CrmContact(_Stored, total=False):
    """A contact. Fields without a value are absent. `custom` has values of custom fields by name.

    `source` says how it came here: manual, import, api, chat or form. `version` is a number that grows with every
    change. `opted_out_at` is when it opted out of all broadcasts.
    """

    email: str
    external_id: str
    first_name: str
    last_name: str
    company: str
    phone: str
    country: str
    city: str
    description: str
    owner: UserRef
    custom: dict[str, Any]
    opted_out_at: str
    created_by: UserRef
    updated_by: UserRef


@record
class CustomField:
    """A field that users defined. `choices` are the possible values of a field of the kind choice."""

    id: str
    name: str
    kind: FieldKind
    choices: list[str] | None = None


@record
class ContactNote:
    """A note about a contact, in Markdown. Without `author`, the operator wrote it, or a user who was erased."""

    id: str
    text: str
    at: str
    author: UserRef | None = None


@record
class TimelineItem:
    """`kind` says what happened, and so what `data` has: `created`, `changed`, `note`, and what lists and tags tell."""

    at: str
    kind: str
    data: dict[str, Any]
    by: UserRef | None = None


@record
class HistoryItem:
    """A change: values before and after by field, null for no value. `version` is the contact's since then."""

    version: int
    at: str
    before: dict[str, Any]
    after: dict[str, Any]
    by: UserRef | None = None


@record
class UpsertFault:
    """What is wrong with a row: `field` and `code` are for programs, `message` is for people."""

    field: str
    code: str
    message: str


@record
class RowVerdict:
    """What became of a row, counted from 0. `contact` is absent if the row is invalid."""

    row: int
    verdict: Literal["created", "updated", "unchanged", "invalid"]
    contact: str | None = None
    faults: list[UpsertFault] | None = None


# ---- commands


@record(kw_only=True)
class _Fields:
    email: Value | None = None
    external_id: Value | None = None
    first_name: Value | None = None
    last_name: Value | None = None
    company: Value | None = None
    phone: Value | None = None
    country: Value | None = None
    city: Value | None = None
    description: Value | None = None
    owner: OwnerRef | None = None
    opted_out: bool | None = None
    custom: Custom | None = None


@record(kw_only=True)
class CreateContact(_Fields):
    """At least one of `email`, `phone` and `external_id` is needed. `owner` is a user's handle or id, `description` is
    Markdown, `custom` has values by the name of the custom field."""


@record(kw_only=True)
class UpdateContact(_Fields):
    """Omitted fields keep their values, an empty text removes the value; in `custom`, null does. With `version`, the
    contact must not have changed since."""

    contact: Id
    version: Annotated[int, Whole(1)] | None = None


@record
class OfContact:
    contact: Id


@record
class DeleteContact:
    """`reason`, such as `user_request`, is passed to consumers of the event."""

    contact: Id
    reason: Reason = "user_request"


@record
class PageOfContact:
    """`after` is the `next` of the previous page."""

    contact: Id
    limit: Limit = 50
    after: After | None = None


@record
class ListCrmContacts:
    """`after` is the `next` of the previous page."""

    limit: Limit = 50
    after: After | None = None


@record
class SearchContacts:
    """`query` has beginnings of words, all of which must be found. A phone number is found as it is dialled, too."""

    query: Annotated[str, Text(200)]
    limit: Limit = 20


@record
class UpsertContacts:
    """Each of up to 1,000 rows is an object with the fields of a contact, besides them `owner`, `opted_out` and
    `custom`. A row without an email address and external id is found by its phone number and name together; it is
    invalid if the contact with them has one of the two. An empty text or null removes a value. `consent`: with
    `tighten`, `opted_out` false changes nothing in a contact that opted out; with `overwrite` it does, but what a user
    answered to a broadcast still holds."""

    contacts: Annotated[list[dict[str, Any]], Items(MOST_ROWS)]
    consent: Literal["tighten", "overwrite"] = "tighten"


@record
class ContactEventsSince:
    """`after` and `epoch` are the `next` and `epoch` of the previous reply. Without `after`, it begins now."""

    after: Gid | None = None
    epoch: Annotated[str, Text(100, 1)] | None = None
    limit: Limit = 100


@record
class AddNote:
    contact: Id
    text: NoteText


@record
class OfNote:
    note: Id


@record
class DefineField:
    """`choices` are needed for the kind choice, and only for that."""

    name: FieldName
    kind: FieldKind = "text"
    choices: Choices = attrs.field(factory=list[str])


@record
class ChangeField:
    """`choices` replaces all choices; contacts keep a value that is no longer one."""

    field: FieldRef
    name: FieldName | None = None
    choices: Choices | None = None


@record
class OfField:
    field: FieldRef


# ---- replies


@record
class CrmContactReply:
    contact: CrmContact


@record
class CrmContactPage:
    """`next` is absent on the last page."""

    contacts: list[CrmContact]
    next: str | None = None


@record
class FoundContacts:
    """The best ones first. `more`: there are others, so ask for longer words or for more of them."""

    contacts: list[CrmContact]
    more: bool = False


@record
class UpsertReply:
    """A verdict for each row, in order."""

    rows: list[RowVerdict]


@record
class ContactEventPage:
    """Events in their order. Ask again with `next` and `epoch`; `more` is true if there are events to fetch now."""

    events: list[dict[str, Any]]
    next: int
    epoch: str
    more: bool


@record
class ContactTimeline:
    """Newest first. `next` is absent on the last page."""

    entries: list[TimelineItem]
    next: str | None = None


@record
class ContactHistory:
    """Newest first. `next` is absent on the last page."""

    changes: list[HistoryItem]
    next: str | None = None


@record
class NoteReply:
    note: ContactNote


@record
class NotePage:
    """Newest first. `next` is absent on the last page."""

    notes: list[ContactNote]
    next: str | None = None


@record
class FieldReply:
    field: CustomField


@record
class FieldList:
    fields: list[CustomField]
