"""Files and their contents: finding them, and removing a content's bytes."""

from __future__ import annotations

import attrs

from chatnode.api import Querying, Transaction
from chatnode_attachments.store import uploads
from chatnode_attachments.store.rows import FileRow

_OF_BLOB = {
    each: f"b.{each}"
    for each in (
        "sha256", "bytes", "width", "height", "duration_ms", "placeholder", "place", "quarantined", "scan", "derive",
    )
} | {"blob_name": "b.name"}  # fmt: skip
FILE = ", ".join(_OF_BLOB.get(field.name, f"f.{field.name}") for field in attrs.fields(FileRow))
"""The columns of a `FileRow` from `FILES`, in order."""
FILES = "attachments_files f JOIN attachments_blobs b ON b.key = f.blob"


def find_file(reader: Querying, id: str) -> FileRow | None:
    """The file with this id, for code that judges who may have it."""
    row = reader.execute(f"SELECT {FILE} FROM {FILES} WHERE f.id = ?", (id,)).fetchone()  # noqa: S608 -- constants
    return None if row is None else FileRow(*row)


def remove_bytes(tx: Transaction, blob: int) -> bool:
    """Put a content's file and thumbnails into the trash; its row stays. False if the file was not there.

    The collector unlinks what is in the trash: `ctx.wake("collect")`.
    """
    row = tx.execute(
        "UPDATE attachments_blobs SET place = 'removed', derive = 'none', loose = 0 "
        "WHERE key = ? AND place = 'local' RETURNING name",
        (blob,),
    ).fetchone()
    tx.execute("DELETE FROM attachments_derived WHERE blob = ?", (blob,))
    if row is not None:
        uploads.discard(tx, "blobs", row[0])
    return row is not None
