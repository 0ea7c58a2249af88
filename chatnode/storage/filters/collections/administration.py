"""All accounts and invites, for users who manage them."""

from __future__ import annotations

from chatnode.model import permissions
from chatnode.storage.conversations.invites import STANDS
from chatnode.storage.engine.dialect import IN_ORDER
from chatnode.storage.filters.collection import Collection, Field
from chatnode.storage.filters.collections.shared import id_of_person
from chatnode.storage.filters.kinds import Choice, Flag, Integer, Json, PersonId, String, Timestamp

_VALID = "(expires_at IS NULL OR expires_at > :now)"


def _of_sessions(what: str) -> str:
    return f"(SELECT {what} FROM sessions WHERE person = item.key AND {_VALID})"


ACCOUNTS = Collection(
    "accounts",
    "All accounts, with their roles and last use.",
    "people item",
    "TRUE",
    (
        Field("person_id", PersonId(), "item.id", ("id", "person")),
        Field("handle", String(), "item.handle"),
        Field("name", String(), "item.name"),
        Field("role", String(), "item.role", groups=True),
        Field("is_bot", Flag(), "item.bot", ("bot",), groups=True),
        Field("is_active", Flag(), "(item.deactivated_at IS NULL)", groups=True),
        Field("has_password", Flag(), "(item.password IS NOT NULL)", groups=True),
        Field("source", String(), "item.source", nullable=True, groups=True),
        Field("created_at", Timestamp(), "item.created_at"),
        Field("deactivated_at", Timestamp(), "item.deactivated_at", nullable=True),
        Field("erased_at", Timestamp(), "item.erased_at", nullable=True),
        Field("sessions", Integer(), _of_sessions("count(*)")),
        Field("last_used_at", Timestamp(), _of_sessions("max(last_used_at)"), nullable=True),
    ),
    key=("handle",), order="handle", permission=permissions.MANAGE_PEOPLE, personal=False,
)  # fmt: skip

ACCOUNT_SESSIONS = Collection(
    "account_sessions",
    "All users' signed-in devices and API tokens.",
    f"sessions item {IN_ORDER} people person ON person.key = item.person",
    "(item.expires_at IS NULL OR item.expires_at > :now)",
    (
        Field("session", Integer(), "item.key", ("id",)),
        Field("person_id", PersonId(), "person.id", ("person",), groups=True),
        Field("handle", String(), "person.handle", groups=True),
        Field("kind", Choice(("device", "token")), "item.kind", groups=True),
        Field("label", String(), "item.label", groups=True),
        Field("created_at", Timestamp(), "item.created_at"),
        Field("expires_at", Timestamp(), "item.expires_at", nullable=True),
        Field("last_used_at", Timestamp(), "item.last_used_at", nullable=True),
        Field("scopes", Json(), "item.scopes", nullable=True, sorts=False),
    ),
    key=("session",), order="session", permission=permissions.MANAGE_PEOPLE, personal=False,
)  # fmt: skip

INVITES = Collection(
    "invites",
    "Invites that can still be used, without their codes.",
    "invites item",
    f"item.kind = 'member' AND {STANDS}",
    (
        Field("invite", Integer(), "item.key", ("id",)),
        Field("uses_left", Integer(), "item.uses_left"),
        Field("created_by_id", PersonId(), id_of_person("item.created_by"), ("by",), nullable=True, groups=True),
        Field("created_at", Timestamp(), "item.created_at"),
        Field("expires_at", Timestamp(), "item.expires_at"),
    ),
    key=("invite",), order="invite", permission=permissions.INVITE, personal=False,
)  # fmt: skip

COLLECTIONS = (ACCOUNTS, ACCOUNT_SESSIONS, INVITES)
