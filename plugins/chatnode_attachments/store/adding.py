"""Adding a file, in one transaction: one copy for each content, however many files have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from chatnode.api import Transaction, new_id, record
from chatnode_attachments.images.prepared import DerivedImage
from chatnode_attachments.store import uploads
from chatnode_attachments.store.content import Content
from chatnode_attachments.store.files import find_file
from chatnode_attachments.store.rows import FileRow, Upload

FirstScan = Literal["off", "pending", "safe"]
"""What new content begins with: nothing is scanned; it waits for the scanner; it was made from what was found safe."""


@record(frozen=True)
class StoredThumbnail:
    """A thumbnail in `derived/`."""

    name: str
    sha256: bytes
    bytes: int
    picture: DerivedImage


@record(frozen=True)
class Stored:
    """A content in `blobs/<name>`, and its thumbnails, all without a row.

    `leftover`: the upload's own file may still be there. `lost`: the name under which a row says that the same content
    is stored, if that file is missing.
    """

    name: str
    content: Content
    thumbnails: Sequence[StoredThumbnail]
    leftover: bool
    lost: str | None


def add_file(tx: Transaction, upload: Upload, stored: Stored, *, scan: bool) -> FileRow | None:
    """Add the file of an upload. None if the upload was removed meanwhile; then all of it goes into the trash.

    `scan`: new content waits for the scanner.
    """
    if not uploads.end_finish(tx, upload):
        # A write that nobody waited for any more may have done it already.
        if (file := find_file(tx, upload.id)) is None:
            uploads.discard(tx, "blobs", stored.name)
        _discard(tx, stored.thumbnails)
        return file
    content, blob = stored.content, _add_content(tx, stored, "pending" if scan else "off")
    tx.execute(
        "INSERT INTO attachments_files (id, blob, uploader, name, type, category, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (upload.id, blob, upload.person, upload.name, content.type, content.category, tx.now),
    )
    if stored.leftover:
        uploads.discard(tx, "incoming", upload.id)
    return find_file(tx, upload.id)


def add_own(
    tx: Transaction, stored: Stored, *, scan: bool, uploader: int, name: str, used_by: str, conversation: int | None
) -> str:
    """Add a file that the node made and uses itself; returns its id.

    It has the verdict of what it was made from, as thumbnails do: the caller has made sure that this may be served.
    """
    id, content = new_id(), stored.content
    blob = _add_content(tx, stored, "safe" if scan else "off")
    tx.execute(
        "INSERT INTO attachments_files (id, blob, uploader, conversation, name, type, category, created_at, used_by) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (id, blob, uploader, conversation, name, content.type, content.category, tx.now, used_by),
    )
    return id


def _add_content(tx: Transaction, stored: Stored, scan: FirstScan) -> int:
    """The key of the content: that of the same bytes if there is one, whose verdict holds for all of them. `scan` is
    for new content."""
    content = stored.content
    found = tx.execute(
        "SELECT key, name, place, scan, derive FROM attachments_blobs WHERE sha256 = ? AND bytes = ?",
        (content.sha256, content.bytes),
    ).fetchone()
    if found is None:
        key = _insert(tx, stored, scan)
        _attach(tx, key, stored.thumbnails)
        return key
    key, name, place, verdict, derive = found
    if verdict == "unsafe":
        uploads.discard(tx, "blobs", stored.name)
        _discard(tx, stored.thumbnails)
    elif place != "local" or name == stored.lost:
        tx.execute("DELETE FROM attachments_derived WHERE blob = ?", (key,))
        tx.execute("UPDATE attachments_blobs SET name = ?, place = 'local' WHERE key = ?", (stored.name, key))
        _set_picture(tx, key, stored)
    else:
        uploads.discard(tx, "blobs", stored.name)
        if derive != "done" and content.derive == "done":
            _set_picture(tx, key, stored)
        else:
            _discard(tx, stored.thumbnails)
    return key


def _set_picture(tx: Transaction, key: int, stored: Stored) -> None:
    """What the sandbox said of the same content this time."""
    content = stored.content
    tx.execute(
        "UPDATE attachments_blobs SET derive = ?, width = ?, height = ?, placeholder = ? WHERE key = ?",
        (content.derive, content.width, content.height, content.placeholder, key),
    )
    _attach(tx, key, stored.thumbnails)


def _insert(tx: Transaction, stored: Stored, scan: FirstScan) -> int:
    content = stored.content
    return tx.execute(
        "INSERT INTO attachments_blobs (name, sha256, bytes, width, height, placeholder, place, scan, scan_due, "
        "derive, created_at) VALUES (?, ?, ?, ?, ?, ?, 'local', ?, ?, ?, ?) RETURNING key",
        (
            stored.name, content.sha256, content.bytes, content.width, content.height, content.placeholder, scan,
            tx.now if scan == "pending" else None, content.derive, tx.now,
        ),
    ).fetchone()[0]  # fmt: skip


def _attach(tx: Transaction, blob: int, thumbnails: Sequence[StoredThumbnail]) -> None:
    rows = [(each.picture.kind, (each.name, each.sha256, each.bytes), each.picture) for each in thumbnails]
    tx.executemany(
        "INSERT INTO attachments_derived (blob, kind, name, sha256, bytes, type, width, height) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(blob, kind, *file, picture.type, picture.width, picture.height) for kind, file, picture in rows],
    )


def _discard(tx: Transaction, thumbnails: Sequence[StoredThumbnail]) -> None:
    for each in thumbnails:
        uploads.discard(tx, "derived", each.name)
