"""The events of contacts, and how they are rebuilt: from the contact as it is now, and from the journal."""

from __future__ import annotations

from typing import Any

from chatnode.api import EventKind, Querying, Reader, Row, record
from chatnode_crm.contacts import finding, journal, shown
from chatnode_crm.contacts.envelope import CrmEvent, enveloped


@record
class CrmContactCreated(CrmEvent):
    """A contact was created; `data` has its fields as they were then.

    Once the journal has been emptied, as they are now; only `contact_id` if it was deleted since.
    """

    name = "crm.contact.created"


@record
class CrmContactUpdated(CrmEvent):
    """A contact changed: `updated_fields` in `data` has the new values, null for a value that was removed.

    Once the journal has been emptied, these are all fields as they are now; only `contact_id` if it was deleted since.
    """

    name = "crm.contact.updated"


@record
class CrmContactDeleted(CrmEvent):
    """A contact was deleted. `email` and `reason` are absent once the journal has been emptied."""

    name = "crm.contact.deleted"


def about(reader: Querying, key: int) -> dict[str, Any] | None:
    """`contact_id` and `email` of a contact, for the data of an event; without `email` if it was deleted. None for a
    key that no contact had."""
    row = reader.execute("SELECT id, email FROM crm_contacts WHERE key = ?", (key,)).fetchone()
    if row is not None:
        return {"contact_id": row[0], "email": row[1]}
    gone = reader.execute("SELECT id FROM crm_gone WHERE contact = ?", (key,)).fetchone()
    return {"contact_id": gone[0]} if gone is not None else None


def _make_created(reader: Reader, row: Row) -> CrmContactCreated | None:
    data = about(reader, row.subject)
    if data is None:
        return None
    found = finding.rows(reader, [row.subject])
    values = journal.first_values(reader, row.subject, found[0] if found else None)
    if values is not None:
        data = {"contact_id": data["contact_id"], **shown.data_of(reader, values)}
    return enveloped(CrmContactCreated, row, data)


def _make_updated(reader: Reader, row: Row) -> CrmContactUpdated | None:
    data = about(reader, row.subject)
    if data is None:
        return None
    entry = journal.entry_at(reader, row.gid, row.subject)
    if entry is not None and entry.after is not None:
        data["updated_fields"] = shown.fields_of(reader, entry.after)
    elif found := finding.rows(reader, [row.subject]):
        data["updated_fields"] = shown.all_fields(reader, found[0])
    data["updated_at"] = shown.time(row.at)
    return enveloped(CrmContactUpdated, row, data)


def _make_deleted(reader: Reader, row: Row) -> CrmContactDeleted | None:
    data = about(reader, row.subject)
    if data is None:
        return None
    entry = journal.entry_at(reader, row.gid, row.subject)
    if entry is not None:
        data["email"] = entry.before.get("email")
    data["deleted_at"] = shown.time(row.at)
    if entry is not None and entry.reason is not None:
        data["reason"] = entry.reason
    return enveloped(CrmContactDeleted, row, data)


EVENTS = (
    EventKind(CrmContactCreated, _make_created),
    EventKind(CrmContactUpdated, _make_updated),
    EventKind(CrmContactDeleted, _make_deleted),
)
