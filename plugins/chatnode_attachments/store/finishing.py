"""From an upload to a file, in steps of which each can be the last before a kill.

1. What the upload is: its type, a picture's clean copy and thumbnails, the hash. Nothing refers to these files yet.
2. In a transaction, the upload says under which name its content will be stored.
3. The content is moved there. After a kill, the one of both places that has it says where to continue.
4. In a transaction, the file is added. If the same content is stored already, the file refers to that, and this
   one goes into the trash.
5. The trash is emptied.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import attrs

from chatnode.api import Context, Refusal, Transaction, new_id
from chatnode_attachments.store import uploads
from chatnode_attachments.store.content import Content, Pictures, Thread, Thumbnail, inspect
from chatnode_attachments.store.files import find_file
from chatnode_attachments.store.layout import Layout, move
from chatnode_attachments.store.rows import FileRow, Upload
from chatnode_attachments.store.sink import open_at


class NewContentScans(Protocol):
    """The scanner, as the store needs it. `on`: new content waits for it."""

    @property
    def on(self) -> bool: ...

    def added(self, tx: Transaction, file: FileRow) -> None:
        """A file was added in this transaction."""
        ...

    def wake(self) -> None:
        """There may be new content."""
        ...


@attrs.frozen
class Finisher:
    """Finishes uploads that have all their bytes. The caller holds the upload's lock.

    `clean`: pictures are stored without metadata, unless they were uploaded as files.
    """

    layout: Layout
    run: Thread
    pictures: Pictures
    clean: bool
    scans: NewContentScans

    async def finish(self, ctx: Context, upload: Upload, digest: bytes | None) -> FileRow:
        """Do the steps that are left. Raises `Refusal("gone")` if the upload was removed meanwhile.

        `digest` is the SHA-256 of the upload, if it is known.
        """
        moved = upload.blob_name is not None and await self.run(self.layout.blob(upload.blob_name).exists)
        try:
            if moved and upload.blob_name is not None:
                name, content = upload.blob_name, await self._inspect(self.layout.blob(upload.blob_name), upload, None)
            else:
                name, content = await self._move(ctx, upload, digest)
        except FileNotFoundError:
            await ctx.write(lambda tx: uploads.end(tx, upload))
            raise _gone() from None
        try:
            derived = await self.run(lambda: self._move_derived(content))
            file = await ctx.write(lambda tx: self._add(tx, upload, name, content, derived))
        finally:
            await self.run(lambda: content.remove_work(self.layout.work))
        if file is None:
            raise _gone()
        return file

    async def _inspect(self, path: Path, upload: Upload, digest: bytes | None) -> Content:
        clean = self.clean and not upload.as_file and path.parent == self.layout.incoming(upload.id).parent
        return await inspect(path, upload.name, clean=clean, digest=digest, pictures=self.pictures, run=self.run)

    async def _move(self, ctx: Context, upload: Upload, digest: bytes | None) -> tuple[str, Content]:
        """Steps 1 to 3."""
        incoming = self.layout.incoming(upload.id)
        await self.run(lambda: _settle(incoming, upload.durable))
        content = await self._inspect(incoming, upload, digest)
        name = new_id()
        try:
            await ctx.write(lambda tx: uploads.begin_finish(tx, upload, name))
            await self.run(lambda: move(content.path, self.layout.blob(name)))
        except BaseException:
            content.remove_work(self.layout.work)
            raise
        return name, content

    def _move_derived(self, content: Content) -> list[tuple[Thumbnail, str, int]]:
        """Their names and sizes. Those that get no row because of a kill are swept later."""
        moved: list[tuple[Thumbnail, str, int]] = []
        for thumbnail in content.derived:
            name = new_id()
            move(thumbnail.path, self.layout.derived(name))
            moved.append((thumbnail, name, self.layout.derived(name).stat().st_size))
        return moved

    def _add(
        self, tx: Transaction, upload: Upload, name: str, content: Content,
        derived: Sequence[tuple[Thumbnail, str, int]],
    ) -> FileRow | None:  # fmt: skip
        """Step 4. None if the upload was removed meanwhile."""
        if not uploads.end_finish(tx, upload):
            # A write that nobody waited for any more may have done this step already.
            if (file := find_file(tx, upload.id)) is None:
                uploads.discard(tx, "blobs", name)
            for _, thumbnail, _ in derived:
                uploads.discard(tx, "derived", thumbnail)
            return file
        blob = self._add_blob(tx, name, content, derived)
        tx.execute(
            "INSERT INTO attachments_files (id, blob, uploader, name, category, created_at) VALUES (?, ?, ?, ?, ?, ?)",
            (upload.id, blob, upload.person, upload.name, content.category, tx.now),
        )
        if content.path != self.layout.incoming(upload.id):  # a clean copy was stored, or that is not known any more
            uploads.discard(tx, "incoming", upload.id)
        file = find_file(tx, upload.id)
        if file is not None:
            self.scans.added(tx, file)
        return file

    def _add_blob(
        self, tx: Transaction, name: str, content: Content, derived: Sequence[tuple[Thumbnail, str, int]]
    ) -> int:
        """The key of the content: the same one for the same bytes, whose verdict holds for all of them."""
        found = tx.execute(
            "SELECT key, place, scan, derive FROM attachments_blobs WHERE sha256 = ? AND bytes = ?",
            (content.sha256, content.bytes),
        ).fetchone()
        if found is None:
            key = self._insert(tx, name, content)
        else:
            key, place, scan, derive = found
            if place == "local" or scan == "unsafe":
                uploads.discard(tx, "blobs", name)
            else:
                tx.execute("UPDATE attachments_blobs SET name = ?, place = 'local' WHERE key = ?", (name, key))
            if scan == "unsafe" or derive == "done":
                for _, thumbnail, _ in derived:
                    uploads.discard(tx, "derived", thumbnail)
                return key
            if derived:
                tx.execute("UPDATE attachments_blobs SET derive = 'done' WHERE key = ?", (key,))
        for thumbnail, derived_name, size in derived:
            tx.execute(
                "INSERT INTO attachments_derived (blob, kind, name, type, bytes, width, height) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (key, thumbnail.kind, derived_name, thumbnail.type, size, thumbnail.width, thumbnail.height),
            )
        return key

    def _insert(self, tx: Transaction, name: str, content: Content) -> int:
        return tx.execute(
            "INSERT INTO attachments_blobs (name, sha256, bytes, type, width, height, placeholder, place, scan, "
            "scan_due, derive, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, 'local', ?, ?, ?, ?) RETURNING key",
            (
                name, content.sha256, content.bytes, content.type, content.width, content.height, content.placeholder,
                "pending" if self.scans.on else "off", tx.now if self.scans.on else None, content.derive, tx.now,
            ),
        ).fetchone()[0]  # fmt: skip


def _settle(path: Path, durable: int) -> None:
    """Leave exactly the bytes that the client was told of; an empty file has none so far."""
    file = open_at(path, durable)
    try:
        os.fdatasync(file)
    finally:
        os.close(file)


def _gone() -> Refusal:
    return Refusal("gone", "this upload was removed or has expired; begin a new one", path="upload")
