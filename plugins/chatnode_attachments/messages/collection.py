"""Files of messages, as they can be filtered, sorted and counted."""

from __future__ import annotations

from chatnode.api import CHAT, Collection, Field, kinds, may_see_message

_ADDRESS = "'/plugins/attachments/files/' || file.id"
_THUMBNAIL = (
    f"(SELECT {_ADDRESS} || '/' || d.kind FROM attachments_derived d "  # noqa: S608 -- constants
    "WHERE d.blob = file.blob AND d.kind = 'thumb320')"
)
# What is left of a name without what follows the last of its dots.
_STEM = "rtrim(file.name, replace(file.name, '.', ''))"

ATTACHMENTS = Collection(
    "message_attachments",
    "Files of messages that you may see, and those that you uploaded.",
    "attachments_files file JOIN attachments_blobs content ON content.key = file.blob "
    "JOIN people uploader ON uploader.key = file.uploader "
    "LEFT JOIN messages item ON item.key = file.message LEFT JOIN conversations conv ON conv.key = file.conversation",
    "file.removed_at IS NULL AND file.used_by IS NULL "
    f"AND (file.uploader = :me OR (item.deleted_at IS NULL AND {may_see_message('item')}))",
    (
        Field("id", kinds.PublicId(), "file.id", ("file",)),
        Field("message_id", kinds.PublicId(), "item.id", ("message",), nullable=True, groups=True),
        Field("conversation_id", kinds.PublicId(), "conv.id", ("conversation",), nullable=True, groups=True),
        Field("position", kinds.Integer(), "file.position", nullable=True),
        Field("file_name", kinds.String(), "file.name", ("name",)),
        Field("file_url", kinds.String(), f"({_ADDRESS})", filters=False, sorts=False),
        Field("file_size", kinds.Integer(), "content.bytes", ("bytes",)),
        Field("file_type", kinds.String(), "content.type", ("type",), groups=True),
        Field(
            "file_extension", kinds.String(),
            f"(CASE WHEN length({_STEM}) > 1 THEN lower(substr(file.name, length({_STEM}) + 1)) END)", nullable=True,
            groups=True,
        ),
        Field(
            "thumbnail_url", kinds.String(), _THUMBNAIL, nullable=True, filters=False, sorts=False,
        ),
        Field(
            "category", kinds.Choice(("IMAGE", "DOCUMENT", "VIDEO", "AUDIO", "OTHER")), "upper(file.category)",
            groups=True,
        ),
        Field("uploaded_by_id", kinds.PersonId(), "uploader.id", ("uploader",), groups=True),
        Field("scanned_for_virus", kinds.Flag(), "(content.scan IN ('safe', 'unsafe'))", groups=True),
        Field(
            "is_safe", kinds.Flag(), "(CASE content.scan WHEN 'safe' THEN 1 WHEN 'unsafe' THEN 0 END)", nullable=True,
            groups=True,
        ),
        Field("download_count", kinds.Integer(), "file.downloads", ("downloads",)),
        Field("created_at", kinds.Timestamp(), "file.created_at", ("at",)),
    ),
    key=("id",), order="-created_at", permission=CHAT,
)  # fmt: skip
