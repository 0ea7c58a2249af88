"""Conversations one takes part in, who else does, and one's own settings of them."""

from __future__ import annotations

from chatnode.model import permissions
from chatnode.storage.engine.dialect import IN_ORDER, greatest
from chatnode.storage.filters.collection import Collection, Field
from chatnode.storage.filters.collections.shared import DELIVERED_MARK, READ_MARK, id_of_person
from chatnode.storage.filters.kinds import Choice, Flag, Integer, PersonId, PublicId, String, Timestamp
from chatnode.storage.messages.visible import TAKES_PART

# ---- conversations

_OPENER = "coalesce(item.created_by, (SELECT min(x.person) FROM members x WHERE x.conversation = item.key))"
_INITIATOR = (
    "(SELECT w.person FROM members w WHERE w.conversation = item.key AND w.left_gid IS NULL AND w.person = "
    f"CASE item.kind WHEN 'direct' THEN {_OPENER} ELSE item.created_by END)"
)
_RECEIVER = (
    "CASE item.kind WHEN 'direct' THEN coalesce((SELECT w.person FROM members w WHERE w.conversation = item.key "
    f"AND w.person <> {_OPENER}), {_OPENER}) END"
)
_NEWEST = "FROM messages n WHERE n.conversation = item.key AND n.seq = item.head AND n.seq >= mine.first"
_PARTICIPANTS = "(SELECT count(*) FROM members w WHERE w.conversation = item.key AND w.left_gid IS NULL)"
_CLOSED_REASONS = {
    "MANUAL_CLOSE": "manual",
    "BLOCKED_USER": "blocked",
    "INACTIVE_30_DAYS": "inactive",
}

#: Fields of a conversation, for users who may know that it exists.
_ABOUT = (
    Field("conversation_id", PublicId(), "item.id", ("id", "conversation"), groups=True),
    Field("title", String(), "item.title"),
    Field("description", String(), "item.description", sorts=False),
    Field("history", Choice(("all", "since_joining")), "item.history", groups=True),
    Field("conversation_type", Choice(("GENERAL", "SUPPORT")), "upper(item.purpose)", ("purpose",), groups=True),
    Field("context_type", String(), "item.context_type", nullable=True, groups=True),
    Field("context_id", String(), "item.context_id", nullable=True, groups=True),
    Field("participants", Integer(), _PARTICIPANTS, ("members",)),
    Field("head", Integer(), "item.head"),
    Field("is_active", Flag(), "(item.inactive_at IS NULL)", groups=True),
    Field("is_closed", Flag(), "(item.closed_at IS NOT NULL)", groups=True),
    Field(
        "closed_reason", Choice(("completed", "manual", "blocked", "inactive"), _CLOSED_REASONS),
        "item.closed_reason", nullable=True, groups=True,
    ),
    Field("closed_at", Timestamp(), "item.closed_at", nullable=True),
    Field("idle_days", Integer(), "item.idle_days", nullable=True),
    Field("retention_days", Integer(), "item.retention_days", nullable=True),
    Field("created_at", Timestamp(), "item.created_at"),
)  # fmt: skip


def _my_archived(as_whom: str) -> str:
    """Whether I archived it, where I am that one; what others did is theirs to know."""
    return f"CASE WHEN {as_whom} = :me THEN coalesce(own.archived, 0) END"


CONVERSATIONS = Collection(
    "conversations",
    "Conversations that you are a member of.",
    f"members mine {IN_ORDER} conversations item ON item.key = mine.conversation "
    "LEFT JOIN conversation_settings own ON own.person = mine.person AND own.conversation = mine.conversation",
    TAKES_PART,
    (
        *_ABOUT,
        Field("kind", Choice(("direct", "group")), "item.kind", groups=True),
        Field("visibility", Choice(("private", "public")), "item.visibility", groups=True),
        Field("initiator_id", PersonId(), id_of_person(_INITIATOR), ("created_by",), nullable=True, groups=True),
        Field("receiver_id", PersonId(), id_of_person(f"({_RECEIVER})"), nullable=True, groups=True),
        Field("role", Choice(("owner", "admin", "member")), "mine.role", groups=True),
        Field("total_message_count", Integer(), "item.messages"),
        Field("read_seq", Integer(), "mine.read_seq"),
        Field("unread_count", Integer(), "(item.head - mine.read_seq)", ("unread",)),
        Field(
            "mention_count", Integer(),
            "(SELECT count(DISTINCT n.seq) FROM mentions n WHERE n.person IN (:me, 0) AND n.conversation = item.key "
            "AND n.seq > mine.read_seq)", ("mentions",),
        ),
        Field("last_message_id", PublicId(), f"(SELECT n.id {_NEWEST})", nullable=True),
        Field("last_message_at", Timestamp(), f"(SELECT n.at {_NEWEST})", ("last_at",), nullable=True),
        Field("is_archived", Flag(), "coalesce(own.archived, 0)", ("archived",), groups=True),
        Field("initiator_archived", Flag(), f"({_my_archived(_INITIATOR)})", nullable=True),
        Field("receiver_archived", Flag(), f"({_my_archived(f'({_RECEIVER})')})", nullable=True),
        Field("joined_at", Timestamp(), "mine.joined_at"),
    ),
    key=("conversation_id",), order="-last_message_at", permission=permissions.CHAT,
)  # fmt: skip

PUBLIC = Collection(
    "public_conversations",
    "Public groups, which every user can find and join.",
    "conversations item LEFT JOIN members mine ON mine.conversation = item.key AND mine.person = :me "
    "AND mine.left_gid IS NULL",
    "item.visibility = 'public'",
    (*_ABOUT, Field("is_mine", Flag(), "(mine.person IS NOT NULL)", groups=True)),
    key=("conversation_id",), order="conversation_id", permission=permissions.CHAT, personal=False,
    also=("directory",),
)  # fmt: skip

# ---- who takes part

_OWN = "part.person = :me"
_LAST_READ = f"FROM messages n WHERE n.conversation = part.conversation AND n.seq = {READ_MARK} AND n.seq >= mine.first"

PARTICIPANTS = Collection(
    "chat_participants",
    "Members of your conversations. Personal settings show for yourself only.",
    f"members mine {IN_ORDER} conversations conv ON conv.key = mine.conversation "
    f"{IN_ORDER} members part ON part.conversation = mine.conversation AND part.left_gid IS NULL "
    f"{IN_ORDER} people person ON person.key = part.person "
    "LEFT JOIN conversation_settings own ON own.person = part.person AND own.conversation = part.conversation "
    "AND own.person = :me LEFT JOIN blocks block ON block.person = :me AND block.blocked = part.person",
    TAKES_PART,
    (
        Field("conversation_id", PublicId(), "conv.id", ("conversation",), groups=True),
        Field("user_id", PersonId(), "person.id", ("person_id", "person"), groups=True),
        Field("handle", String(), "person.handle"),
        Field("name", String(), "person.name"),
        Field("role", Choice(("owner", "admin", "member")), "part.role", groups=True),
        Field("unread_count", Integer(), f"CASE WHEN {_OWN} THEN conv.head - part.read_seq END", nullable=True),
        Field("last_read_seq", Integer(), READ_MARK, ("read_seq",)),
        Field("last_read_message_id", PublicId(), f"(SELECT n.id {_LAST_READ})", nullable=True),
        Field(
            "last_read_at", Timestamp(),
            "(SELECT t.at FROM receipts t WHERE t.conversation = part.conversation AND t.person = part.person "
            f"AND t.kind = 'read' AND t.seq BETWEEN mine.first AND {READ_MARK} ORDER BY t.seq DESC LIMIT 1)",
            nullable=True,
        ),
        Field("delivered_seq", Integer(), greatest(DELIVERED_MARK, READ_MARK)),
        Field(
            "is_muted", Flag(), f"(CASE WHEN {_OWN} THEN coalesce(own.muted_until, 0) > :now END)", nullable=True,
            groups=True,
        ),
        Field("muted_until", Timestamp(), "own.muted_until", nullable=True),
        Field("is_blocked", Flag(), "(block.at IS NOT NULL)", groups=True),
        Field("blocked_at", Timestamp(), "block.at", nullable=True),
        Field(
            "status", Choice(("ACTIVE", "INACTIVE", "ARCHIVED", "BLOCKED")),
            "(CASE WHEN block.at IS NOT NULL THEN 'BLOCKED' WHEN conv.inactive_at IS NOT NULL THEN 'INACTIVE' "
            "WHEN own.archived = 1 THEN 'ARCHIVED' ELSE 'ACTIVE' END)",
            groups=True,
        ),
        Field("joined_at", Timestamp(), "part.joined_at"),
    ),
    key=("conversation_id", "user_id"), order="handle", permission=permissions.CHAT, also=("participants", "members"),
)  # fmt: skip

# ---- one's own settings


def _set(column: str, default: str) -> str:
    return f"coalesce(own.{column}, {default})"


SETTINGS = Collection(
    "conversation_settings",
    "Your settings for your conversations, one row each.",
    f"members mine {IN_ORDER} conversations conv ON conv.key = mine.conversation "
    f"{IN_ORDER} people person ON person.key = mine.person "
    "LEFT JOIN conversation_settings own ON own.person = mine.person AND own.conversation = mine.conversation",
    TAKES_PART,
    (
        Field("conversation_id", PublicId(), "conv.id", ("conversation",), groups=True),
        Field("user_id", PersonId(), "person.id", ("person_id",), groups=True),
        Field(
            "color_tag", Choice(("RED", "ORANGE", "YELLOW", "GREEN", "BLUE", "PURPLE")), "upper(own.colour)",
            ("colour",), nullable=True, groups=True,
        ),
        Field("is_starred", Flag(), _set("starred", "0"), ("starred",), groups=True),
        Field("is_archived", Flag(), _set("archived", "0"), ("archived",), groups=True),
        Field("is_muted", Flag(), f"({_set('muted_until', '0')} > :now)", groups=True),
        Field("muted_until", Timestamp(), "own.muted_until", nullable=True),
        Field("notifications_enabled", Flag(), f"({_set('notify', repr('all'))} <> 'none')", groups=True),
        Field(
            "notification_type", Choice(("ALL", "MENTIONS_ONLY", "NONE"), {"mentions": "MENTIONS_ONLY"}),
            "(CASE own.notify WHEN 'mentions' THEN 'MENTIONS_ONLY' WHEN 'none' THEN 'NONE' ELSE 'ALL' END)",
            ("notify",), groups=True,
        ),
        Field("desktop_notifications", Flag(), _set("desktop", "1"), ("desktop",), groups=True),
        Field("mobile_notifications", Flag(), _set("mobile", "1"), ("mobile",), groups=True),
        Field("sound_enabled", Flag(), _set("sounds", "1"), ("sounds",), groups=True),
        Field("show_read_receipts", Flag(), "(mine.hides_receipts = 0)", groups=True),
        Field("custom_label", String(), "own.label", ("label",), nullable=True, groups=True),
    ),
    key=("conversation_id",), order="conversation_id", permission=permissions.CHAT,
)  # fmt: skip

COLLECTIONS = (CONVERSATIONS, PUBLIC, PARTICIPANTS, SETTINGS)
