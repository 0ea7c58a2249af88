"""What the commands on public forms take and give."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from chatnode.api import Id, Items, Text, Whole, record
from chatnode_crm.naming import GroupRef

FormField = Literal["name", "first_name", "last_name", "company", "phone", "country", "city"]
"""What a form may ask for besides the email. `name` is split into first and last name."""
_Fields = Annotated[list[FormField], Items(7)]
_Origin = Annotated[
    str, Text(255, 8, r"https?://[A-Za-z0-9.:\[\]-]+", hint="expected an origin, such as https://example.org")
]
_Tags = Annotated[list[GroupRef], Items(20)]
_Origins = Annotated[list[_Origin], Items(20)]
_Names = list[str]  # in a class with a field `list`, `list` is that field
_Words = Annotated[str, Text(4_000, free=True)]


@record
class ContactForm:
    """A public form at `address`. `consent` is what visitors agree to, `consent_version` counts its texts. `origins`
    are sites that may embed the form or send it with a script. `posts` counts what visitors sent."""

    form: str
    name: str
    title: str
    address: str
    fields: _Names
    required: _Names
    tags: _Names
    origins: _Names
    consent_version: int
    active: bool
    posts: int
    created_at: str
    about: str | None = None
    consent: str | None = None
    thanks: str | None = None
    list: str | None = None


@record
class ContactForms:
    forms: list[ContactForm]
    next: int | None = None


@record
class CreateForm:
    """`name` is for users of the node, `title` and `about` are what visitors read. Without `consent` visitors are not
    asked to agree to anything. `list` and `tags`, by id or name, are given to every contact that comes from the
    form."""

    name: Annotated[str, Text(200, 1)]
    title: Annotated[str, Text(200, 1)]
    about: _Words = ""
    fields: _Fields = attrs.field(factory=lambda: ["first_name", "last_name"])
    required: _Fields = attrs.field(factory=list[FormField])
    tags: _Tags = attrs.field(factory=_Names)
    origins: _Origins = attrs.field(factory=_Names)
    consent: _Words = ""
    thanks: _Words = ""
    list: GroupRef | None = None


@record
class UpdateForm:
    """Only what is given changes. A new text of `consent` is a new version; `list` "" is none."""

    form: Id
    name: Annotated[str, Text(200, 1)] | None = None
    title: Annotated[str, Text(200, 1)] | None = None
    about: _Words | None = None
    fields: _Fields | None = None
    required: _Fields | None = None
    tags: _Tags | None = None
    origins: _Origins | None = None
    consent: _Words | None = None
    thanks: _Words | None = None
    active: bool | None = None
    list: Annotated[str, Text(255)] | None = None


@record
class OfForm:
    form: Id


@record
class ListForms:
    """Forms, oldest first. `after` takes the `next` of the previous page."""

    after: Annotated[int, Whole(0)] = 0
    limit: Annotated[int, Whole(1)] = 50


@record
class FormReply:
    form: ContactForm
