"""Events of dynamic lists. They have no audience: they are for consumers of plugins."""

from __future__ import annotations

import attrs

from chatnode.api import Event, EventKind, Reader, Row
from chatnode_crm.contacts.envelope import CrmEvent, enveloped
from chatnode_crm.groups import data_about_pair


@attrs.define
class CrmListEntered(CrmEvent):
    """A contact matches the filter of a dynamic list, and did not at the last check: `contact_id`, `list_id`,
    `list_name`, `entered_at`.
    """

    name = "crm.list.entered"


@attrs.define
class CrmListLeft(CrmEvent):
    """A contact does not match the filter of a dynamic list any more: `contact_id`, `list_id`, `list_name`, `left_at`.

    There are none for contacts and lists that are deleted, which have an event of their own.
    """

    name = "crm.list.left"


def _make_entered(reader: Reader, row: Row) -> Event | None:
    data = data_about_pair(reader, row, "list", "entered_at")
    return enveloped(CrmListEntered, row, data) if data is not None else None


def _make_left(reader: Reader, row: Row) -> Event | None:
    data = data_about_pair(reader, row, "list", "left_at")
    return enveloped(CrmListLeft, row, data) if data is not None else None


EVENTS = (EventKind(CrmListEntered, _make_entered), EventKind(CrmListLeft, _make_left))
