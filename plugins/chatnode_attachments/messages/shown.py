"""What is shown of files: beside their messages, and by the commands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from chatnode.api import Querying, hookimpl, json_array, person_by_key, rfc3339
from chatnode_attachments.model import Attachment
from chatnode_attachments.scanning.notifying import shown_scan, thumbnails
from chatnode_attachments.store.rows import FileRow

_STATES = (
    "SELECT i.value, f.id, b.scan, b.place, b.quarantined, d.kind, d.width, d.height FROM json_each(?) i "
    "JOIN messages m ON m.id = i.value JOIN attachments_files f ON f.message = m.key "
    "JOIN attachments_blobs b ON b.key = f.blob LEFT JOIN attachments_derived d ON d.blob = b.key "
    "WHERE f.removed_at IS NULL ORDER BY f.position, f.key, d.width, d.kind"
)


@hookimpl
def enrich_messages(reader: Querying, ids: Sequence[str]) -> dict[str, Any]:
    """`extra.attachments` of each message with files, the same for everyone: what may have changed since it was posted,
    by the ids of files."""
    found: dict[str, dict[str, Any]] = {}
    rows = reader.execute(_STATES, (json_array(ids),)).fetchall()
    for message, file, scan, place, quarantined, kind, width, height in rows:
        state = found.setdefault(message, {}).setdefault(
            file, {"scan": shown_scan(scan, place), "quarantined": bool(quarantined), "thumbs": []}
        )
        if kind is not None:
            state["thumbs"].append({"kind": kind, "width": width, "height": height})
    return found


def attachment(reader: Querying, row: FileRow) -> Attachment:
    """What users are shown of a file."""
    message, conversation = reader.execute(
        "SELECT (SELECT id FROM messages WHERE key = ?), (SELECT id FROM conversations WHERE key = ?)",
        (row.message, row.conversation),
    ).fetchone()
    return Attachment(
        row.id, row.name, row.type, row.bytes, cast("Any", row.category), row.sha256.hex(),
        person_by_key(reader, row.uploader).ref, rfc3339(row.created_at), row.downloads,
        shown_scan(row.scan, row.place), bool(row.quarantined), thumbnails(reader, row.blob), row.width, row.height,
        row.duration_ms, row.placeholder, bool(row.voice) or None, message, conversation,
    )  # fmt: skip


def attachments(reader: Querying, rows: Iterable[FileRow]) -> list[Attachment]:
    return [attachment(reader, row) for row in rows]
