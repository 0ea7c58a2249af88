"""Durable work of plugins."""

from __future__ import annotations

from chatnode.model import permissions
from chatnode.model.work import STATUSES
from chatnode.storage.filters.collection import Collection, Field
from chatnode.storage.filters.collections.shared import id_of_person
from chatnode.storage.filters.kinds import Choice, Integer, Json, PersonId, PublicId, String, Timestamp

WORK = Collection(
    "work",
    "Your work items; all of them, for users who operate the node.",
    "work item",
    "item.owner = :me",
    (
        Field("work_id", PublicId(), "item.id", ("id", "work")),
        Field("number", Integer(), "item.key"),
        Field("kind", String(), "item.kind", groups=True),
        Field("title", String(), "item.title"),
        Field("owner_id", PersonId(), id_of_person("item.owner"), ("owner",), nullable=True, groups=True),
        Field("status", Choice(STATUSES), "item.status", groups=True),
        Field("done", Integer(), "item.done"),
        Field("total", Integer(), "item.total", nullable=True),
        Field("failures", Integer(), "item.failures"),
        Field("created_at", Timestamp(), "item.created_at"),
        Field("not_before", Timestamp(), "item.not_before"),
        Field("started_at", Timestamp(), "item.started_at", nullable=True),
        Field("ended_at", Timestamp(), "item.ended_at", nullable=True),
        Field("result", Json(), "item.result", nullable=True, sorts=False),
        Field("error", String(), "item.error", nullable=True, sorts=False),
    ),
    key=("work_id",), order="-number", permission=permissions.CHAT, personal=False, sees_all=permissions.OPERATE,
)  # fmt: skip

COLLECTIONS = (WORK,)
