"""Events about lists. They have no audience: they are for consumers of plugins."""

from __future__ import annotations

import attrs

from chatnode.api import Event, EventKind, Reader, Row
from chatnode_crm.contacts.envelope import CrmEvent, enveloped
from chatnode_crm.groups import data_about_pair, data_of_deleted


@attrs.define
class CrmContactAddedToList(CrmEvent):
    """A contact was added to a list that it was not on: `contact_id`, `list_id`, `list_name`, `added_at`.

    The name is absent once the list was deleted.
    """

    name = "crm.contact.added_to_list"


@attrs.define
class CrmContactRemovedFromList(CrmEvent):
    """A contact was removed from a list that it was on: `contact_id`, `list_id`, `list_name`, `removed_at`.

    There are none for contacts and lists that are deleted, which have an event of their own.
    """

    name = "crm.contact.removed_from_list"


@attrs.define
class CrmListDeleted(CrmEvent):
    """A list was deleted, and no contact is on it any more: `list_id`, `deleted_at`."""

    name = "crm.list.deleted"


def _make_added(reader: Reader, row: Row) -> Event | None:
    data = data_about_pair(reader, row, "list", "added_at")
    return enveloped(CrmContactAddedToList, row, data) if data is not None else None


def _make_removed(reader: Reader, row: Row) -> Event | None:
    data = data_about_pair(reader, row, "list", "removed_at")
    return enveloped(CrmContactRemovedFromList, row, data) if data is not None else None


def _make_deleted(reader: Reader, row: Row) -> Event | None:
    data = data_of_deleted(reader, row, "list")
    return enveloped(CrmListDeleted, row, data) if data is not None else None


EVENTS = (
    EventKind(CrmContactAddedToList, _make_added),
    EventKind(CrmContactRemovedFromList, _make_removed),
    EventKind(CrmListDeleted, _make_deleted),
)
