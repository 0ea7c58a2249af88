"""Rows of the tables, as the rest of the plugin sees them."""

from __future__ import annotations

from typing import Literal

import attrs

from chatnode.api import record

UploadState = Literal["open", "finishing", "done", "gone"]


@record(frozen=True)
class Upload:
    """An upload. Its id becomes the id of the file, so that a client that lost the answer knows it.

    `durable` bytes are on disk. `length` is None until the client says it. `reserved` bytes of the uploader's quota
    are held; 0 for an upload that ended, and for one of unknown length where nothing limits it.
    """

    key: int
    id: str
    person: int
    name: str
    metadata: str
    declared: str
    length: int | None
    durable: int
    reserved: int
    as_file: int
    state: UploadState
    blob_name: str | None
    created_at: int
    touched_at: int
    expires_at: int

    @property
    def complete(self) -> bool:
        """Whether all bytes are there."""
        return self.durable == self.length

    @property
    def most(self) -> int | None:
        """The maximum number of bytes that it takes; None without a limit."""
        if self.length is not None:
            return self.length
        return self.reserved or None


UPLOAD = ", ".join(field.name for field in attrs.fields(Upload))
"""The columns of an `Upload`, in order."""


@record(frozen=True)
class FileRow:
    """A file with its content. `message` and `conversation` are keys; `blob_name` is the name in `blobs/`."""

    key: int
    id: str
    blob: int
    uploader: int
    message: int | None
    conversation: int | None
    position: int | None
    name: str
    type: str
    category: str
    voice: int
    downloads: int
    last_download_at: int | None
    created_at: int
    removed_at: int | None
    used_by: str | None
    blob_name: str
    sha256: bytes
    bytes: int
    width: int | None
    height: int | None
    duration_ms: int | None
    placeholder: str | None
    place: Literal["local", "missing", "removed"]
    quarantined: int
    scan: Literal["off", "pending", "safe", "unsafe", "error"]
    derive: Literal["none", "done", "failed"]
