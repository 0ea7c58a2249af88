"""Lists, as they can be filtered, sorted and counted."""

from __future__ import annotations

from chatnode.api import Collection, Field, kinds
from chatnode_crm.permissions import VIEW

LISTS = Collection(
    "contact_lists",
    "Lists of contacts.",
    "crm_lists item",
    "item.key > 0",
    (
        Field("list_id", kinds.PublicId(), "item.id", ("id",)),
        Field("name", kinds.String(), "item.name"),
        Field("description", kinds.String(), "item.description", nullable=True, sorts=False),
        Field("kind", kinds.Choice(("static", "dynamic", "campaign")), "item.kind", groups=True),
        Field("stage", kinds.Choice(("creation", "population", "execution", "analysis", "archive")),
              "CASE WHEN item.stage IS NOT NULL AND item.is_active = 0 THEN 'archive' ELSE item.stage END",
              nullable=True, groups=True),
        Field("is_active", kinds.Flag(), "item.is_active", groups=True),
        Field("archived_at", kinds.Timestamp(), "item.archived_at", nullable=True),
        Field("owner_id", kinds.PersonId(), "(SELECT o.id FROM people o WHERE o.key = item.owner)", ("owner",),
              nullable=True, groups=True),
        Field("contact_count", kinds.Integer(), "item.members", ("members",)),
        Field("last_added_at", kinds.Timestamp(),
              "(SELECT max(m.added_at) FROM crm_members m WHERE m.list = item.key)", nullable=True),
        Field("last_activity_at", kinds.Timestamp(), "item.active_at"),
        Field("created_at", kinds.Timestamp(), "item.created_at"),
        Field("updated_at", kinds.Timestamp(), "item.updated_at"),
    ),
    key=("list_id",), order="name", permission=VIEW, personal=False,
)  # fmt: skip
