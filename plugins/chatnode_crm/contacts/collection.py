"""What `items.query` can ask of contacts: filter, sort, page and count by any field."""

from __future__ import annotations

from collections.abc import Iterator

from chatnode.api import Asker, Collection, DerivedKey, Field, Querying, kinds
from chatnode_crm.contacts import fields
from chatnode_crm.contacts.shown import CUSTOM
from chatnode_crm.contacts.values.emails import email_key
from chatnode_crm.permissions import VIEW

SOURCES = ("manual", "import", "api", "chat", "form")
_USER = "(SELECT u.id FROM people u WHERE u.key = {})"


def custom_fields(source: Querying, asker: Asker) -> Iterator[Field]:
    """The fields that users have defined, for `Collection.learn`. Their SQL uses keys, because users choose the
    names."""
    for field in fields.listed(source):
        kind, groups = _KINDS[field.kind]
        shown = kinds.Choice(field.choices) if field.kind == "choice" else kind
        value = f"(item.custom ->> '$.\"{field.key:d}\"')"
        also = (f"{CUSTOM}{field.id}",)  # for filters that are kept while the field gets another name
        yield Field(f"{CUSTOM}{field.name}", shown, value, also, nullable=True, groups=groups)


_KINDS: dict[fields.FieldKind, tuple[kinds.Kind, bool]] = {
    "text": (kinds.String(), True),
    "number": (kinds.Number(), True),
    "date": (kinds.Timestamp(), False),
    "flag": (kinds.Flag(), True),
    "choice": (kinds.Kind(), True),
}

CONTACTS = Collection(
    "crm_contacts",
    "The contacts of the organization, with the fields that users define as `custom.<name>`.",
    "crm_contacts item",
    "TRUE",
    (
        Field("contact_id", kinds.PublicId(), "item.id", ("id",)),
        Field("email", kinds.String(), "item.email", nullable=True, derived=DerivedKey("item.email_key", email_key)),
        Field("external_id", kinds.String(), "item.external_id", nullable=True),
        Field("first_name", kinds.String(), "item.first_name", nullable=True),
        Field("last_name", kinds.String(), "item.last_name", nullable=True),
        Field("company", kinds.String(), "item.company", nullable=True, groups=True),
        Field("phone", kinds.String(), "item.phone", nullable=True),
        Field("country", kinds.String(), "item.country", nullable=True, groups=True),
        Field("city", kinds.String(), "item.city", nullable=True, groups=True),
        Field("description", kinds.String(), "item.description", nullable=True, sorts=False),
        Field("owner_id", kinds.PersonId(), _USER.format("item.owner"), ("owner",), nullable=True, groups=True),
        Field("source", kinds.Choice(SOURCES), "item.source", groups=True),
        Field("opted_out_at", kinds.Timestamp(), "item.opted_out_at", nullable=True),
        Field("version", kinds.Integer(), "item.version"),
        Field("created_at", kinds.Timestamp(), "item.created_at"),
        Field("created_by_id", kinds.PersonId(), _USER.format("item.created_by"), ("created_by",), nullable=True),
        Field("updated_at", kinds.Timestamp(), "item.updated_at"),
        Field("updated_by_id", kinds.PersonId(), _USER.format("item.updated_by"), ("updated_by",), nullable=True),
    ),
    key=("contact_id",), order="-created_at", permission=VIEW, personal=False, learn=custom_fields,
)  # fmt: skip
