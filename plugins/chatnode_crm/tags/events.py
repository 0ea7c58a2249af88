"""Events about tags. They have no audience: they are for consumers of plugins."""

from __future__ import annotations

import attrs

from chatnode.api import Event, EventKind, Reader, Row, rfc3339
from chatnode_crm.contacts.subjects import unpack


@attrs.define
class Tagged(Event):
    """A contact got a tag that it did not have."""

    name = "crm.contact.tagged"
    contact_id: str
    tag_id: str
    tag_name: str
    tagged_at: str


@attrs.define
class Untagged(Event):
    """A contact lost a tag that it had. There are none for contacts and tags that are deleted."""

    name = "crm.contact.untagged"
    contact_id: str
    tag_id: str
    tag_name: str
    untagged_at: str


@attrs.define
class TagDeleted(Event):
    """A tag was deleted; no contact has it any more."""

    name = "crm.tag.deleted"
    tag_id: str
    deleted_at: str


# What is recorded: the log keeps the subject alone, from which the fields are read when somebody asks for them.
TAGGED = Tagged("", "", "", "")
UNTAGGED = Untagged("", "", "", "")


def _about(reader: Reader, row: Row) -> tuple[str, str, str, str] | None:
    """What both events of a contact say; None if the contact or the tag is gone, as an event of its own says."""
    tag, contact = unpack(row.subject)
    found = reader.execute(
        "SELECT c.id, t.id, t.name FROM crm_contacts c JOIN crm_tags t ON t.key = ? WHERE c.key = ?", (tag, contact)
    ).fetchone()
    return (*found, rfc3339(row.at)) if found is not None else None


def _make_tagged(reader: Reader, row: Row) -> Event | None:
    about = _about(reader, row)
    return Tagged(*about) if about is not None else None


def _make_untagged(reader: Reader, row: Row) -> Event | None:
    about = _about(reader, row)
    return Untagged(*about) if about is not None else None


def _make_deleted(reader: Reader, row: Row) -> Event | None:
    found = reader.execute("SELECT id FROM crm_tombstones WHERE kind = 'tag' AND key = ?", (row.subject,)).fetchone()
    return TagDeleted(found[0], rfc3339(row.at)) if found is not None else None


EVENTS = (
    EventKind(Tagged, _make_tagged),
    EventKind(Untagged, _make_untagged),
    EventKind(TagDeleted, _make_deleted),
)
