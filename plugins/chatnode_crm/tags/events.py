"""Events about tags. They have no audience: they are for consumers of plugins."""

from __future__ import annotations

import attrs

from chatnode.api import Event, EventKind, Reader, Row
from chatnode_crm.contacts.envelope import CrmEvent, enveloped
from chatnode_crm.groups import data_about_pair, data_of_deleted


@attrs.define
class CrmContactTagged(CrmEvent):
    """A contact got a tag that it did not have: `contact_id`, `tag_id`, `tag_name`, `tagged_at`.

    The name is absent once the tag was deleted.
    """

    name = "crm.contact.tagged"


@attrs.define
class CrmContactUntagged(CrmEvent):
    """A contact lost a tag that it had: `contact_id`, `tag_id`, `tag_name`, `untagged_at`.

    There are none for contacts and tags that are deleted, which have an event of their own.
    """

    name = "crm.contact.untagged"


@attrs.define
class CrmTagDeleted(CrmEvent):
    """A tag was deleted, and no contact has it any more: `tag_id`, `deleted_at`."""

    name = "crm.tag.deleted"


def _make_tagged(reader: Reader, row: Row) -> Event | None:
    data = data_about_pair(reader, row, "tag", "tagged_at")
    return enveloped(CrmContactTagged, row, data) if data is not None else None


def _make_untagged(reader: Reader, row: Row) -> Event | None:
    data = data_about_pair(reader, row, "tag", "untagged_at")
    return enveloped(CrmContactUntagged, row, data) if data is not None else None


def _make_deleted(reader: Reader, row: Row) -> Event | None:
    data = data_of_deleted(reader, row, "tag")
    return enveloped(CrmTagDeleted, row, data) if data is not None else None


EVENTS = (
    EventKind(CrmContactTagged, _make_tagged),
    EventKind(CrmContactUntagged, _make_untagged),
    EventKind(CrmTagDeleted, _make_deleted),
)
