"""Events of dynamic lists. They have no audience: they are for consumers of plugins."""

from __future__ import annotations

from chatnode.api import record
from chatnode_crm.contacts.envelope import CrmEvent
from chatnode_crm.groups import event_about_pair


@record
class CrmListEntered(CrmEvent):
    """A contact matches the filter of a dynamic list, and did not at the last check: `contact_id`, `list_id`,
    `list_name`, `entered_at`.
    """

    name = "crm.list.entered"


@record
class CrmListLeft(CrmEvent):
    """A contact does not match the filter of a dynamic list any more: `contact_id`, `list_id`, `list_name`, `left_at`.

    There are none for contacts and lists that are deleted, which have an event of their own.
    """

    name = "crm.list.left"


EVENTS = (
    event_about_pair(CrmListEntered, "list", "entered_at"),
    event_about_pair(CrmListLeft, "list", "left_at"),
)
