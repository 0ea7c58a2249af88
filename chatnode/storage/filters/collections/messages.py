"""Messages one may see, and how far they have got with each reader."""

from __future__ import annotations

from typing import get_args

from chatnode.model import permissions
from chatnode.model.messages import DeletedReason
from chatnode.storage.engine.dialect import greatest, length_of, member_of, usually
from chatnode.storage.filters.collection import Collection, Field
from chatnode.storage.filters.collections.shared import DELIVERED_MARK, READ_MARK, id_of_person
from chatnode.storage.filters.kinds import Choice, Flag, Integer, Json, PersonId, PublicId, String, Timestamp
from chatnode.storage.messages.visible import TAKES_PART, VISIBLE_MESSAGES

_HAS_FILES = "(item.kind IN ('image', 'file') AND item.content IS NOT NULL)"


def _unless_deleted(column: str) -> str:
    return f"(CASE WHEN item.deleted_at IS NULL THEN item.{column} END)"


MESSAGES = Collection(
    "messages",
    "Messages of your conversations that you may see. Of a deleted one, only when, why and by which user.",
    VISIBLE_MESSAGES + "JOIN people sender ON sender.key = item.sender",
    TAKES_PART,
    (
        Field("message_id", PublicId(), "item.id", ("id", "message")),
        Field("conversation_id", PublicId(), "conv.id", ("conversation",), groups=True),
        Field("seq", Integer(), "item.seq"),
        Field("gid", Integer(), "item.gid"),
        Field("sender_id", PersonId(), "sender.id", ("sender",), groups=True),
        Field("sender_handle", String(), "sender.handle", groups=True),
        Field("message_text", String(), _unless_deleted("text"), ("text",), nullable=True, sorts=False),
        Field(
            "message_type", Choice(("TEXT", "IMAGE", "FILE", "LOCATION", "SYSTEM")), "upper(item.kind)", ("kind",),
            groups=True,
        ),
        Field(
            "system_message_type", String(), "(CASE WHEN item.deleted_at IS NULL AND item.kind = 'system' "
            f"THEN {member_of('item.content', 'type')} END)", nullable=True, groups=True,
        ),
        Field("has_attachments", Flag(), _HAS_FILES, groups=True),
        Field(
            "attachment_count", Integer(), f"(CASE WHEN {_HAS_FILES} THEN {length_of('item.content', 'files')} ELSE 0 "
            "END)", groups=True,
        ),
        Field("content", Json(), _unless_deleted("content"), nullable=True, sorts=False),
        Field("metadata", Json(), _unless_deleted("metadata"), nullable=True, sorts=False),
        Field("reply_to", PublicId(), _unless_deleted("reply_to"), nullable=True, groups=True),
        Field("thread", Integer(), "item.thread", nullable=True),
        Field(
            "thread_id", PublicId(), "(SELECT n.id FROM messages n WHERE n.conversation = item.conversation "
            "AND n.seq = item.thread)", nullable=True, groups=True,
        ),
        Field("reply_count", Integer(), "item.replies", ("replies",)),
        Field(
            "mentions_me", Flag(),
            "EXISTS (SELECT 1 FROM mentions n WHERE n.person IN (:me, 0) AND n.conversation = item.conversation "
            "AND n.seq = item.seq)", groups=True,
        ),
        Field("is_edited", Flag(), "(item.edited_at IS NOT NULL)", groups=True),
        Field("edit_count", Integer(), "item.edits", ("edits",)),
        Field("edited_at", Timestamp(), "item.edited_at", nullable=True),
        Field("is_deleted", Flag(), "(item.deleted_at IS NOT NULL)", groups=True),
        Field("deleted_at", Timestamp(), "item.deleted_at", nullable=True),
        Field(
            "deleted_by_id", PersonId(), id_of_person("item.deleted_by"), ("deleted_by",), nullable=True,
            groups=True,
        ),
        Field("deleted_reason", Choice(get_args(DeletedReason)), "item.deleted_reason", nullable=True, groups=True),
        Field("is_pinned", Flag(), "(item.pinned_at IS NOT NULL)", groups=True),
        Field("pinned_at", Timestamp(), "item.pinned_at", nullable=True),
        Field("created_at", Timestamp(), "item.at", ("at",)),
    ),
    key=("seq", "message_id"), order="-created_at", permission=permissions.CHAT,
)  # fmt: skip

EDITS = Collection(
    "message_edits",
    "Previous versions of edited messages that you may see; version 1 is the original. None of deleted messages.",
    VISIBLE_MESSAGES + "AND item.deleted_at IS NULL JOIN message_edits edition "
    "ON edition.conversation = item.conversation AND edition.seq = item.seq",
    TAKES_PART,
    (
        Field("message_id", PublicId(), "item.id", ("message",), groups=True),
        Field("conversation_id", PublicId(), "conv.id", ("conversation",), groups=True),
        Field("sender_id", PersonId(), id_of_person("item.sender"), ("sender",), groups=True),
        Field("version", Integer(), "edition.version"),
        Field("message_text", String(), "edition.text", ("text",), sorts=False),
        Field("said_at", Timestamp(), "edition.at", ("at",)),
        Field("edited_at", Timestamp(), "item.edited_at", nullable=True),
    ),
    key=("message_id", "version"), order="-said_at", permission=permissions.CHAT,
)  # fmt: skip

# ---- receipts

_SEQ = "item.seq"
_GOT_MARK = greatest(DELIVERED_MARK, READ_MARK)
#: READ up to one mark, DELIVERED from there up to the other, SENT above both: so each word is a range of seqs.
_RANGES = {
    frozenset[str](): "FALSE",
    frozenset({"READ"}): f"{_SEQ} <= {READ_MARK}",
    frozenset({"DELIVERED"}): f"{_SEQ} > {READ_MARK} AND {_SEQ} <= {DELIVERED_MARK}",
    frozenset({"SENT"}): f"{_SEQ} > {_GOT_MARK}",
    frozenset({"READ", "DELIVERED"}): f"{_SEQ} <= {_GOT_MARK}",
    frozenset({"SENT", "DELIVERED"}): f"{_SEQ} > {READ_MARK}",
    frozenset({"READ", "SENT"}): f"{_SEQ} <= {READ_MARK} OR {_SEQ} > {_GOT_MARK}",
    frozenset({"READ", "DELIVERED", "SENT"}): "TRUE",
}


def _time_of(kind: str, mark: str) -> str:
    """When the mark first reached the message: that of the first advance at or above it."""
    return (
        f"(CASE WHEN {_SEQ} <= {mark} THEN (SELECT t.at FROM receipts t WHERE t.conversation = part.conversation "
        f"AND t.person = part.person AND t.kind = '{kind}' AND t.seq >= {_SEQ} ORDER BY t.seq LIMIT 1) END)"
    )


RECEIPTS = Collection(
    "message_reads",
    "Delivery state of each message that you may see, for each recipient who may see it.",
    VISIBLE_MESSAGES.replace("JOIN messages", "JOIN members part ON part.conversation = mine.conversation "
    "AND part.left_gid IS NULL JOIN people reader ON reader.key = part.person JOIN messages")
    + f"AND {usually('item.seq >= part.first')} AND item.sender <> part.person",
    TAKES_PART,
    (
        Field("message_id", PublicId(), "item.id", ("message",), groups=True),
        Field("conversation_id", PublicId(), "conv.id", ("conversation",), groups=True),
        Field("seq", Integer(), "item.seq"),
        Field("sender_id", PersonId(), id_of_person("item.sender"), ("sender",), groups=True),
        Field("reader_id", PersonId(), "reader.id", ("reader", "person"), groups=True),
        Field("reader_handle", String(), "reader.handle", groups=True),
        Field(
            "status", Choice(("SENT", "DELIVERED", "READ")),
            f"(CASE WHEN {_SEQ} <= {READ_MARK} THEN 'READ' WHEN {_SEQ} <= {DELIVERED_MARK} THEN 'DELIVERED' "
            "ELSE 'SENT' END)", groups=True, among=_RANGES.__getitem__,
        ),
        Field("delivered_at", Timestamp(), _time_of("delivered", DELIVERED_MARK), nullable=True),
        Field("read_at", Timestamp(), _time_of("read", READ_MARK), nullable=True),
        Field("created_at", Timestamp(), "item.at", ("at",)),
    ),
    key=("seq", "message_id", "reader_id"), order="-created_at", permission=permissions.CHAT, also=("receipts",),
)  # fmt: skip

COLLECTIONS = (MESSAGES, EDITS, RECEIPTS)
