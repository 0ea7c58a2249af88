"""Events about lists. They have no audience: they are for consumers of plugins."""

from __future__ import annotations

from chatnode.api import record
from chatnode_crm.contacts.envelope import CrmEvent
from chatnode_crm.groups import event_about_pair, event_of_deletion


@record
class CrmContactAddedToList(CrmEvent):
    """A contact was added to a list that it was not on: `contact_id`, `list_id`, `list_name`, `added_at`.

    The name is absent once the list was deleted.
    """

    name = "crm.contact.added_to_list"


@record
class CrmContactRemovedFromList(CrmEvent):
    """A contact was removed from a list that it was on: `contact_id`, `list_id`, `list_name`, `removed_at`.

    There are none for contacts and lists that are deleted, which have an event of their own.
    """

    name = "crm.contact.removed_from_list"


@record
class CrmListDeleted(CrmEvent):
    """A list was deleted, and no contact is on it any more: `list_id`, `deleted_at`."""

    name = "crm.list.deleted"


EVENTS = (
    event_about_pair(CrmContactAddedToList, "list", "added_at"),
    event_about_pair(CrmContactRemovedFromList, "list", "removed_at"),
    event_of_deletion(CrmListDeleted, "list"),
)
