"""What `items.query` can ask of contacts: filter, sort, page and count by any field."""

from __future__ import annotations

from chatnode.api import Collection, Field, kinds
from chatnode_contacts.entries import KEPT
from chatnode_contacts.permission import USE
from chatnode_contacts import words
from chatnode_contacts.model import LabelKind
from chatnode_contacts.seen import seen

_PERSON = "(SELECT o.id FROM people o WHERE o.key = {})"


def _labels(kind: LabelKind) -> kinds.Labels:
    return kinds.Labels(
        row="e.contact",
        relation=f"SELECT l.contact FROM contacts_labels l WHERE l.owner = :me AND l.kind = '{kind}' AND l.folded",  # noqa: S608
        find=words.label,
        takes="names",
    )


CONTACTS = Collection(
    "contacts",
    "Your contacts.",
    "contacts_entries e CROSS JOIN people p ON p.key = e.contact",
    KEPT,
    (
        Field("contact_id", kinds.PersonId(), "p.id", ("id", "person")),
        Field("handle", kinds.String(), "p.handle"),
        Field("name", kinds.String(), "p.name"),
        Field("contact_name", kinds.String(), "e.nickname", ("nickname",), nullable=True),
        Field("contact_number", kinds.String(), "e.number", ("number",), nullable=True),
        Field("note", kinds.String(), "e.note", nullable=True, sorts=False),
        Field("sort_name", kinds.String(), "e.sort_name"),
        Field("is_favorite", kinds.Flag(), "e.favourite", ("favourite",), groups=True),
        Field("is_active", kinds.Flag(), "(p.deactivated_at IS NULL)", groups=True),
        Field("groups", _labels("group"), "e.groups", nullable=True, sorts=False),
        Field("tags", _labels("tag"), "e.tags", nullable=True, sorts=False),
        Field("added_at", kinds.Timestamp(), "e.added_at"),
        Field("last_interacted_at", kinds.Timestamp(), "nullif(e.interacted_at, 0)", nullable=True),
        Field("rank", kinds.Integer(), "e.rank"),
    ),
    key=("contact_id",), order="sort_name", permission=USE,
)  # fmt: skip

LABELS = Collection(
    "contact_labels",
    "The groups and tags of your contacts, one row each.",
    "contacts_labels item CROSS JOIN people p ON p.key = item.contact",
    "item.owner = :me AND " + seen("item.contact"),
    (
        Field("contact_id", kinds.PersonId(), "p.id", ("person",)),
        Field("handle", kinds.String(), "p.handle"),
        Field("kind", kinds.Choice(("group", "tag")), "item.kind", groups=True),
        Field("label", kinds.String(), "item.name", groups=True),
    ),
    key=("kind", "label", "contact_id"), order="label", permission=USE,
)  # fmt: skip

_OTHER = "CASE item.sender WHEN :me THEN item.receiver ELSE item.sender END"

REQUESTS = Collection(
    "contact_requests",
    "Pending requests from and to you.",
    "contacts_requests item",
    "(item.sender = :me OR item.receiver = :me) AND item.declined_at IS NULL AND "
    + " AND ".join(seen(column) for column in ("item.sender", "item.receiver")),
    (
        Field("request", kinds.Integer(), "item.key", ("id",)),
        Field("direction", kinds.Choice(("incoming", "outgoing")),
              "CASE item.sender WHEN :me THEN 'outgoing' ELSE 'incoming' END", groups=True),
        Field("sender_id", kinds.PersonId(), _PERSON.format("item.sender"), ("from",)),
        Field("receiver_id", kinds.PersonId(), _PERSON.format("item.receiver"), ("to",)),
        Field("person_id", kinds.PersonId(), _PERSON.format(_OTHER), ("person",)),
        Field("note", kinds.String(), "item.note", sorts=False),
        Field("created_at", kinds.Timestamp(), "item.at", ("at",)),
    ),
    key=("request",), order="-request", permission=USE,
)  # fmt: skip

COLLECTIONS = (CONTACTS, LABELS, REQUESTS)
