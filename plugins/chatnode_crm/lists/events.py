"""Events about lists. They have no audience: they are for consumers of plugins."""

from __future__ import annotations

import attrs

from chatnode.api import Event, EventKind, Reader, Row, rfc3339
from chatnode_crm.contacts.subjects import unpack


@attrs.define
class AddedToList(Event):
    """A contact was added to a list that it was not on."""

    name = "crm.contact.added_to_list"
    contact_id: str
    list_id: str
    list_name: str
    added_at: str


@attrs.define
class RemovedFromList(Event):
    """A contact was removed from a list that it was on. There are none for contacts and lists that are deleted."""

    name = "crm.contact.removed_from_list"
    contact_id: str
    list_id: str
    list_name: str
    removed_at: str


@attrs.define
class ListDeleted(Event):
    """A list was deleted; no contact is on it any more."""

    name = "crm.list.deleted"
    list_id: str
    deleted_at: str


# What is recorded: the log keeps the subject alone, from which the fields are read when somebody asks for them.
ADDED = AddedToList("", "", "", "")
REMOVED = RemovedFromList("", "", "", "")


def _about(reader: Reader, row: Row) -> tuple[str, str, str, str] | None:
    """What both events of a contact say; None if the contact or the list is gone, as an event of its own says."""
    list_key, contact = unpack(row.subject)
    found = reader.execute(
        "SELECT c.id, l.id, l.name FROM crm_contacts c JOIN crm_lists l ON l.key = ? WHERE c.key = ?",
        (list_key, contact),
    ).fetchone()
    return (*found, rfc3339(row.at)) if found is not None else None


def _make_added(reader: Reader, row: Row) -> Event | None:
    about = _about(reader, row)
    return AddedToList(*about) if about is not None else None


def _make_removed(reader: Reader, row: Row) -> Event | None:
    about = _about(reader, row)
    return RemovedFromList(*about) if about is not None else None


def _make_deleted(reader: Reader, row: Row) -> Event | None:
    found = reader.execute("SELECT id FROM crm_tombstones WHERE kind = 'list' AND key = ?", (row.subject,)).fetchone()
    return ListDeleted(found[0], rfc3339(row.at)) if found is not None else None


EVENTS = (
    EventKind(AddedToList, _make_added),
    EventKind(RemovedFromList, _make_removed),
    EventKind(ListDeleted, _make_deleted),
)
