"""What those who run and moderate the node look through."""

from __future__ import annotations

from chatnode.model import permissions
from chatnode.storage.engine.dialect import IN_ORDER
from chatnode.storage.filters.collection import Collection, Field
from chatnode.storage.filters.collections.shared import id_of_person
from chatnode.storage.filters.kinds import Choice, Flag, Integer, Json, PersonId, PublicId, String, Timestamp

AUDIT = Collection(
    "audit",
    "What administrators, moderators, the operator and jobs did. Without an actor, the operator or a job acted.",
    "audit item",
    "TRUE",
    (
        Field("entry", Integer(), "item.key", ("id",)),
        Field("created_at", Timestamp(), "item.at", ("at",)),
        Field("actor_id", PersonId(), id_of_person("item.actor"), ("actor",), nullable=True, groups=True),
        Field("action", String(), "item.action", groups=True),
        Field("target", String(), "item.target", groups=True),
        Field("details", Json(), "item.details", sorts=False),
    ),
    key=("entry",), order="-entry", permission=permissions.AUDIT, personal=False,
)  # fmt: skip

REPORTS = Collection(
    "reports",
    "Reported messages, without their text.",
    f"reports item {IN_ORDER} messages message ON message.key = item.message "
    f"{IN_ORDER} conversations conv ON conv.key = message.conversation",
    "TRUE",
    (
        Field("report", Integer(), "item.key", ("id",)),
        Field("message_id", PublicId(), "message.id", ("message",), groups=True),
        Field("conversation_id", PublicId(), "conv.id", ("conversation",), groups=True),
        Field("sender_id", PersonId(), id_of_person("message.sender"), ("sender",), nullable=True, groups=True),
        Field("reporter_id", PersonId(), id_of_person("item.reporter"), ("reporter",), nullable=True, groups=True),
        Field("reason", String(), "item.reason", groups=True),
        Field("note", String(), "item.note", sorts=False),
        Field("is_open", Flag(), "(item.resolved_at IS NULL)", groups=True),
        Field("resolution", String(), "item.resolution", nullable=True, sorts=False),
        Field(
            "resolved_by_id", PersonId(), id_of_person("item.resolved_by"), ("resolved_by",), nullable=True,
            groups=True,
        ),
        Field("resolved_at", Timestamp(), "item.resolved_at", nullable=True),
        Field("created_at", Timestamp(), "item.at", ("at",)),
    ),
    key=("report",), order="-report", permission=permissions.MODERATE, personal=False,
)  # fmt: skip

REMOVALS = Collection(
    "removals",
    "Receipts of what retention removed, with the proof that it is gone.",
    "removals item",
    "TRUE",
    (
        Field("removal", Integer(), "item.key", ("id",)),
        Field("rule", Choice(("messages", "closed")), "item.rule", groups=True),
        Field("conversation_id", PublicId(), "item.conversation", ("conversation",), groups=True),
        Field("days", Integer(), "item.days", groups=True),
        Field("upto", Integer(), "item.upto"),
        Field("counts", Json(), "item.counts", sorts=False),
        Field("probes", Integer(), "item.probes", nullable=True),
        Field("traces", Integer(), "item.traces", nullable=True),
        Field("created_at", Timestamp(), "item.at", ("at",)),
        Field("proved_at", Timestamp(), "item.proved_at", nullable=True),
    ),
    key=("removal",), order="-removal", permission=permissions.OPERATE, personal=False,
)  # fmt: skip

JOBS = Collection(
    "jobs",
    "The node's jobs, with the outcome of their last run.",
    "jobs item",
    "TRUE",
    (
        Field("name", String(), "item.name", ("id",)),
        Field("began_at", Timestamp(), "item.at", ("at",)),
        Field("milliseconds", Integer(), "CAST(item.seconds * 1000 AS INTEGER)"),
        Field("ok", Flag(), "item.ok", groups=True),
        Field("result", String(), "item.result"),
        Field("runs", Integer(), "item.runs"),
        Field("failures", Integer(), "item.failures"),
    ),
    key=("name",), order="name", permission=permissions.OPERATE, personal=False,
)  # fmt: skip

COLLECTIONS = (AUDIT, REPORTS, REMOVALS, JOBS)
