"""Events about tags. They have no audience: they are for consumers of plugins."""

from __future__ import annotations

from chatnode.api import record
from chatnode_crm.contacts.envelope import CrmEvent
from chatnode_crm.groups import event_about_pair, event_of_deletion


@record
class CrmContactTagged(CrmEvent):
    """A contact got a tag that it did not have: `contact_id`, `tag_id`, `tag_name`, `tagged_at`.

    The name is absent once the tag was deleted.
    """

    name = "crm.contact.tagged"


@record
class CrmContactUntagged(CrmEvent):
    """A contact lost a tag that it had: `contact_id`, `tag_id`, `tag_name`, `untagged_at`.

    There are none for contacts and tags that are deleted, which have an event of their own.
    """

    name = "crm.contact.untagged"


@record
class CrmTagDeleted(CrmEvent):
    """A tag was deleted, and no contact has it any more: `tag_id`, `deleted_at`."""

    name = "crm.tag.deleted"


EVENTS = (
    event_about_pair(CrmContactTagged, "tag", "tagged_at"),
    event_about_pair(CrmContactUntagged, "tag", "untagged_at"),
    event_of_deletion(CrmTagDeleted, "tag"),
)
