"""People, and what is one's own: sessions, blocks, when one came and went."""

from __future__ import annotations

from chatnode.model import permissions
from chatnode.storage.engine.dialect import IN_ORDER
from chatnode.storage.filters.collection import Collection, Field
from chatnode.storage.filters.kinds import Choice, Flag, Integer, Json, PersonId, String, Timestamp
from chatnode.storage.people.people import may_list

PEOPLE = Collection(
    "people",
    "All accounts, and the authors of imported messages.",
    "people item",
    may_list("item.key"),
    (
        Field("person_id", PersonId(), "item.id", ("id", "person")),
        Field("handle", String(), "item.handle"),
        Field("name", String(), "item.name"),
        Field("avatar", String(), "item.avatar", nullable=True, sorts=False),
        Field("is_bot", Flag(), "item.bot", ("bot",), groups=True),
        Field(
            "is_imported", Flag(), "(item.source IS NOT NULL AND item.erased_at IS NULL)", ("imported",), groups=True
        ),
        Field("is_active", Flag(), "(item.deactivated_at IS NULL)", groups=True),
        Field("is_erased", Flag(), "(item.erased_at IS NOT NULL)", groups=True),
    ),
    key=("handle",), order="handle", permission=permissions.CHAT, personal=False, also=("users",),
)  # fmt: skip

SESSIONS = Collection(
    "sessions",
    "Your own devices and tokens.",
    "sessions item",
    "item.person = :me AND (item.expires_at IS NULL OR item.expires_at > :now)",
    (
        Field("session", Integer(), "item.key", ("id",)),
        Field("kind", Choice(("device", "token")), "item.kind", groups=True),
        Field("label", String(), "item.label", groups=True),
        Field("is_current", Flag(), "(item.key IS NOT DISTINCT FROM :session)", ("current",)),
        Field("created_at", Timestamp(), "item.created_at"),
        Field("expires_at", Timestamp(), "item.expires_at", nullable=True),
        Field("last_used_at", Timestamp(), "item.last_used_at", nullable=True),
        Field("scopes", Json(), "item.scopes", nullable=True, sorts=False),
    ),
    key=("session",), order="session", permission=permissions.CHAT,
)  # fmt: skip

BLOCKS = Collection(
    "blocks",
    "Users you have blocked.",
    f"blocks item {IN_ORDER} people other ON other.key = item.blocked",
    "item.person = :me",
    (
        Field("blocked_id", PersonId(), "other.id", ("blocked", "person")),
        Field("handle", String(), "other.handle"),
        Field("blocked_at", Timestamp(), "item.at", ("created_at", "at")),
    ),
    key=("handle",), order="handle", permission=permissions.CHAT,
)  # fmt: skip

PRESENCE_HISTORY = Collection(
    "presence_history",
    "Your presence history, if the node keeps it.",
    "presence_history item",
    "item.person = :me",
    (
        Field("entry", Integer(), "item.key", ("id",)),
        Field("created_at", Timestamp(), "item.at", ("at",)),
        Field("change", Choice(("online", "offline", "status")), "item.change", groups=True),
        Field("text", String(), "item.text", nullable=True),
        Field("emoji", String(), "item.emoji", nullable=True, groups=True),
    ),
    key=("entry",), order="-entry", permission=permissions.CHAT,
)  # fmt: skip

COLLECTIONS = (PEOPLE, SESSIONS, BLOCKS, PRESENCE_HISTORY)
