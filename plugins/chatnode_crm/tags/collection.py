"""Tags, as they can be filtered, sorted and counted."""

from __future__ import annotations

from chatnode.api import Collection, Field, kinds
from chatnode_crm.permissions import VIEW
from chatnode_crm.tags.finding import DEFAULT_COLOR

TAGS = Collection(
    "contact_tags",
    "Tags of contacts.",
    "crm_tags item",
    "item.key > 0",
    (
        Field("tag_id", kinds.PublicId(), "item.id", ("id",)),
        Field("name", kinds.String(), "item.name"),
        Field("color", kinds.String(), f"coalesce(item.color, '{DEFAULT_COLOR}')", groups=True),
        Field("contact_count", kinds.Integer(), "item.contacts", ("contacts",)),
        Field("created_at", kinds.Timestamp(), "item.created_at"),
        Field("updated_at", kinds.Timestamp(), "item.updated_at"),
    ),
    key=("tag_id",), order="name", permission=VIEW, personal=False,
)  # fmt: skip
