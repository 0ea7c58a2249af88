"""Files: finding them."""

from __future__ import annotations

import attrs

from chatnode.api import Querying
from chatnode_attachments.store.rows import FileRow

_OF_BLOB = {"blob_name": "b.name"}
_OF_BLOB |= {each: f"b.{each}" for each in (
    "sha256", "bytes", "type", "width", "height", "duration_ms", "placeholder", "place", "scan", "derive",
)}  # fmt: skip
FILE = ", ".join(_OF_BLOB.get(field.name, f"f.{field.name}") for field in attrs.fields(FileRow))
"""The columns of a `FileRow` from `FILES`, in order."""
FILES = "attachments_files f JOIN attachments_blobs b ON b.key = f.blob"


def find_file(reader: Querying, id: str) -> FileRow | None:
    """The file with this id, for code that judges who may have it."""
    row = reader.execute(f"SELECT {FILE} FROM {FILES} WHERE f.id = ?", (id,)).fetchone()  # noqa: S608 -- constants
    return None if row is None else FileRow(*row)
