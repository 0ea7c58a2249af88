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
from pathlib import Path
from typing import Protocol

import trio

from chatnode.api import Context, Transaction, new_id, record
from chatnode_attachments.settings import AttachmentsSettings
from chatnode_attachments.store import uploads
from chatnode_attachments.store.adding import Stored, StoredThumbnail, add_file
from chatnode_attachments.store.content import Content, Pictures, Thread, inspect
from chatnode_attachments.store.layout import Layout, move
from chatnode_attachments.store.refusals import UploadGone
from chatnode_attachments.store.rows import FileRow, Upload
from chatnode_attachments.store.sink import digest_of, open_at


class NewContentScans(Protocol):
    """The scanner, as the store needs it. `on`: new content waits for it."""

    @property
    def on(self) -> bool: ...

    def added(self, tx: Transaction, file: FileRow) -> None:
        """A file was added in this transaction."""
        ...

    def changed(self, tx: Transaction, content: int) -> None:
        """A content that was there before was stored again, or its thumbnails are others."""
        ...

    def wake(self) -> None:
        """There may be new content."""
        ...


@record(frozen=True)
class Finisher:
    """Finishes uploads that have all their bytes. The caller holds the upload's lock."""

    layout: Layout
    run: Thread
    pictures: Pictures
    settings: AttachmentsSettings
    scans: NewContentScans

    async def finish(self, ctx: Context, upload: Upload, digest: bytes | None) -> FileRow:
        """Do the steps that are left. Raises `Refusal("gone")` if the upload was removed meanwhile.

        `digest` is the SHA-256 of the upload, if it is known.
        """
        try:
            name, content = await self._store(ctx, upload, digest)
        except FileNotFoundError:
            if await self.run(lambda: self._is_there(upload)):
                raise  # something else is missing
            await ctx.write(lambda tx: uploads.end(tx, upload))
            raise UploadGone from None
        try:
            thumbnails = await self.run(lambda: self._move_thumbnails(content))
            lost = await self._lost(ctx, content)
            leftover = content.path != self.layout.incoming(upload.id)
            stored = Stored(name, content, thumbnails, leftover, lost)
            file = await ctx.write(lambda tx: self._add(tx, upload, stored))
        finally:
            await self._remove_work(content)
        if file is None:
            raise UploadGone
        return file

    def _add(self, tx: Transaction, upload: Upload, stored: Stored) -> FileRow | None:
        """Step 4. None if the upload was removed meanwhile."""
        before = _known(tx, stored.content)
        file = add_file(tx, upload, stored, scan=self.scans.on)
        if file is not None:
            self.scans.added(tx, file)
            if before not in (None, _known(tx, stored.content)):
                self.scans.changed(tx, file.blob)
        return file

    async def _store(self, ctx: Context, upload: Upload, digest: bytes | None) -> tuple[str, Content]:
        """Steps 1 to 3, as far as they are left: the content, and the name that it is stored under."""
        if upload.blob_name is not None:
            blob = self.layout.blob(upload.blob_name)
            if await self.run(blob.exists):
                return upload.blob_name, await self._inspect(blob, upload, None, clean=False)
        incoming = self.layout.incoming(upload.id)
        await self.run(lambda: _settle(incoming, upload.durable))
        content = await self._inspect(
            incoming, upload, digest, clean=self.settings.strips(as_file=bool(upload.as_file))
        )
        name = new_id()
        try:
            await ctx.write(lambda tx: uploads.begin_finish(tx, upload, name))
            await self.run(lambda: move(content.path, self.layout.blob(name)))
        except BaseException:
            await self._remove_work(content)
            raise
        return name, content

    async def _inspect(self, path: Path, upload: Upload, digest: bytes | None, *, clean: bool) -> Content:
        return await inspect(path, upload.name, clean=clean, digest=digest, pictures=self.pictures, run=self.run)

    async def _remove_work(self, content: Content) -> None:
        with trio.CancelScope(shield=True):
            await self.run(lambda: content.remove_work(self.layout.work))

    def _is_there(self, upload: Upload) -> bool:
        moved = upload.blob_name is not None and self.layout.blob(upload.blob_name).exists()
        return moved or self.layout.incoming(upload.id).exists()

    async def _lost(self, ctx: Context, content: Content) -> str | None:
        """The name of the same content if a row says that it is stored, but the file was removed by hand."""
        found = await ctx.read(
            lambda reader: reader.execute(
                "SELECT name FROM attachments_blobs WHERE sha256 = ? AND bytes = ? AND place = 'local'",
                (content.sha256, content.bytes),
            ).fetchone()
        )
        if found is None or await self.run(self.layout.blob(found[0]).exists):
            return None
        ctx.log.error("the content %s is missing from the disk; it was uploaded again", found[0])
        return found[0]

    def _move_thumbnails(self, content: Content) -> list[StoredThumbnail]:
        """Those that get no row because of a kill are swept later."""
        moved: list[StoredThumbnail] = []
        for thumbnail in content.derived:
            name, size, sha256 = new_id(), thumbnail.path.stat().st_size, digest_of(thumbnail.path)
            move(thumbnail.path, self.layout.derived(name))
            moved.append(StoredThumbnail(name, sha256, size, thumbnail))
        return moved


def _known(tx: Transaction, content: Content) -> tuple[str, int] | None:
    """Where the same content is, and how many thumbnails it has; None if it is not known."""
    return tx.execute(
        "SELECT place, (SELECT count(*) FROM attachments_derived WHERE blob = b.key) FROM attachments_blobs b "
        "WHERE sha256 = ? AND bytes = ?",
        (content.sha256, content.bytes),
    ).fetchone()


def _settle(path: Path, durable: int) -> None:
    """Leave exactly the bytes that the client was told of; an empty file has none so far."""
    os.close(open_at(path, durable))
