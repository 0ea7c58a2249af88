"""The store: uploads become files, resumably, and nothing that was acknowledged is lost."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import partial
from typing import TypeVar

import trio

from chatnode.api import Account, Context, Deny, Refusal, Transaction, counted
from chatnode_attachments.settings import AttachmentsSettings
from chatnode_attachments.store import quotas, uploads
from chatnode_attachments.store.content import Pictures
from chatnode_attachments.store.files import find_file
from chatnode_attachments.store.finishing import Finisher, NewContentScans
from chatnode_attachments.store.layout import Layout
from chatnode_attachments.store.locks import Locks
from chatnode_attachments.store.pace import Pace
from chatnode_attachments.store.receiving import Receiver
from chatnode_attachments.store.refusals import DiskFull, check_offset
from chatnode_attachments.store.rows import FileRow, Upload
from chatnode_attachments.store.sink import Checksum, Hasher, Sink, Unreliable

T = TypeVar("T")
_HASHERS = 1000


class Store:
    """Uploads and files of one node.

    A request works on an upload like this:

        async with store.lock(id):
            upload = await store.find(ctx, id)
            upload = await store.receive(ctx, upload, request.chunks(), offset=offset)
            if upload.complete:
                file = await store.finish(ctx, upload)

    `free_bytes` returns how many bytes files may still take on the disk, `commits` a number that grows while users
    write. `scans` gets what is new.
    """

    def __init__(
        self, layout: Layout, settings: AttachmentsSettings, pictures: Pictures, *, free_bytes: Callable[[], int],
        commits: Callable[[], int], scans: NewContentScans,
    ) -> None:  # fmt: skip
        self.layout = layout
        self.locks = Locks()
        self._settings = settings
        self._free_bytes = free_bytes
        self._commits = commits
        self._scans = scans
        self._threads = trio.CapacityLimiter(settings.threads)
        self._finisher = Finisher(layout, self.run, pictures, settings, scans)
        self._hashers: OrderedDict[str, Hasher] = OrderedDict()
        self._broken: set[str] = set()
        self._receiving: Counter[int] = Counter()

    async def run(self, function: Callable[[], T], /) -> T:
        """Run a function that blocks in one of the plugin's threads; not cancellable once it has begun."""
        return await trio.to_thread.run_sync(function, limiter=self._threads)

    @property
    def receiving(self) -> int:
        """How many uploads are being received now."""
        return self._receiving.total()

    # ---- creating and finding

    async def create(
        self, ctx: Context, *, name: str, declared: str, length: int | None, metadata: str = "", as_file: bool = False
    ) -> Upload:
        """Begin an upload for the requesting user and reserve its bytes. `length` None: the client says it later.

        `name` must be clean; `declared` is the type that the client claims. Raises `Refusal`: `too_large` for a quota,
        `DiskFull`.
        """
        me = ctx.me
        await self._ask(ctx, me, name, declared, length)
        free = await self.run(self._free_bytes)

        def add(tx: Transaction) -> Upload:
            reserved = quotas.reserve(tx, self._settings, me.key, length)
            if quotas.to_come(tx) + reserved > free:
                raise DiskFull
            return uploads.add(
                tx, me.key, name=name, declared=declared, length=length, metadata=metadata, as_file=as_file,
                reserved=reserved, hours=self._settings.upload_hours,
            )  # fmt: skip

        upload = await ctx.write(add, repeatable=True)
        ctx.count("uploads")
        return upload

    async def _ask(self, ctx: Context, me: Account, name: str, declared: str, length: int | None) -> None:
        """Other plugins may refuse the upload."""
        verdicts = await ctx.ask("may_upload", person=me, name=name, declared=declared, length=length)
        for verdict in verdicts:
            if isinstance(verdict, Deny):
                raise Refusal(verdict.code, verdict.reason)

    async def find(self, ctx: Context, id: str) -> Upload:
        """The requesting user's upload. Raises `Refusal`: `not_found`, also for another user's; `gone`."""
        me = ctx.me.key
        return await ctx.read(lambda reader: uploads.of_person(reader, me, id))

    def lock(self, id: str) -> AbstractAsyncContextManager[None]:
        """Work on an upload, and stop the request that does. See `Locks.hold`."""
        return self.locks.hold(id)

    # ---- receiving; the caller holds the lock

    async def set_length(self, ctx: Context, upload: Upload, length: int) -> Upload:
        """Say the length of an upload that was created without it. Raises `Refusal`."""
        return await ctx.write(lambda tx: uploads.set_length(tx, upload, length), repeatable=True)

    async def receive(
        self, ctx: Context, upload: Upload, chunks: AsyncIterator[bytes], *, offset: int,
        checksum: Checksum | None = None,
    ) -> Upload:  # fmt: skip
        """Append what comes to the upload, and return it when the bytes are on disk.

        What ends it early, an error of `chunks` or a cancellation, is raised when the bytes that came before are on
        disk. With a checksum, all of them are kept or none. Raises `Refusal`: `OffsetMismatch`, `ChecksumMismatch`,
        `DiskFull`, `ReceivingIdle`, `too_large` for bytes beyond the length, `unavailable` when too many uploads are
        received at a time.
        """
        check_offset(upload, offset)
        if upload.state != "open":
            await self._refuse_more(upload, chunks)
            return upload
        if upload.id in self._broken:
            raise await self._give_up(ctx, upload)
        with self._slot(upload.person):
            return await self._receive(ctx, upload, chunks, checksum)

    async def _refuse_more(self, upload: Upload, chunks: AsyncIterator[bytes]) -> None:
        with trio.move_on_after(self._settings.idle_seconds):
            async for chunk in chunks:
                if chunk:
                    raise Refusal("too_large", f"there are more than {upload.length} bytes", path="length")

    @contextmanager
    def _slot(self, person: int) -> Generator[None]:
        """One of the places for uploads that are received at a time."""
        of_person, of_node = self._settings.uploads_per_person, self._settings.uploads_at_a_time
        if self._receiving[person] >= of_person:
            why = f"you are already uploading {counted(of_person, 'file')}; wait for one"
            raise Refusal("unavailable", why, retry_after=5)
        if self.receiving >= of_node:
            raise Refusal("unavailable", "the node receives as many uploads as it can; try again", retry_after=5)
        self._receiving[person] += 1
        try:
            yield
        finally:
            self._receiving[person] -= 1
            if not self._receiving[person]:
                del self._receiving[person]

    async def _receive(
        self, ctx: Context, upload: Upload, chunks: AsyncIterator[bytes], checksum: Checksum | None
    ) -> Upload:
        now = upload

        async def save(durable: int) -> None:
            nonlocal now
            hours = self._settings.upload_hours
            now = await ctx.write(lambda tx: uploads.save_durable(tx, upload, durable, hours), repeatable=True)
            ctx.count("bytes_received", durable - upload.durable)

        hasher = self._hashers.pop(upload.id, None)
        if hasher is None or hasher.at != upload.durable:
            hasher = Hasher() if upload.durable == 0 else None
        path = self.layout.incoming(upload.id)
        try:
            sink = await self.run(partial(Sink, path, upload.durable, hasher, checksum))
            try:
                await Receiver(
                    sink, upload.most, idle_seconds=self._settings.idle_seconds, whole=checksum is not None,
                    run=self.run, save=save, pace=Pace(self._commits),
                ).receive(chunks)  # fmt: skip
            finally:
                with trio.CancelScope(shield=True):
                    await self.run(sink.close)
                self._keep_hasher(upload.id, sink.hasher)
        except Unreliable as error:
            raise await self._give_up(ctx, upload) from error
        return now

    def _keep_hasher(self, id: str, hasher: Hasher | None) -> None:
        """The hash of what came so far cannot be stored: without it the file is read once more at the end."""
        if hasher is not None:
            self._hashers[id] = hasher
            while len(self._hashers) > _HASHERS:
                self._hashers.popitem(last=False)

    async def _give_up(self, ctx: Context, upload: Upload) -> Refusal:
        """The disk failed. What the file has is not known, so it must never be used again."""
        self._broken.add(upload.id)
        ctx.log.error("the file of an upload cannot be trusted: the disk failed", extra={"upload": upload.key})
        with trio.CancelScope(shield=True):
            await ctx.write(lambda tx: uploads.end(tx, upload), repeatable=True)
        self._broken.discard(upload.id)
        return Refusal("internal", "the node's disk failed; begin a new upload")

    # ---- ending; the caller holds the lock

    async def finish(self, ctx: Context, upload: Upload) -> FileRow:
        """Make a file of an upload that has all its bytes; again returns the same file.

        A later request for the upload waits for it instead of stopping it. Raises `Refusal("gone")` if the file was
        removed since.
        """
        self.locks.holder(upload.id).finishing = True
        if upload.state == "done":
            file = await ctx.read(lambda reader: find_file(reader, upload.id))
            if file is None:
                raise Refusal("gone", "this file was removed", path="upload")
            return file
        if not upload.complete:
            raise Refusal("conflict", f"{upload.durable} bytes of {upload.length} are there", path="upload")
        hasher = self._hashers.pop(upload.id, None)
        digest = hasher.sha256.digest() if hasher is not None and hasher.at == upload.durable else None
        try:
            file = await self._finisher.finish(ctx, upload, digest)
        except Unreliable as error:
            raise await self._give_up(ctx, upload) from error
        ctx.wake("collect")
        self._scans.wake()
        ctx.count("files")
        await ctx.ask("file_stored", file=file)
        return file

    async def finish_waiting(self, ctx: Context) -> int:
        """Finish the uploads that have all their bytes, and that no request works on; returns how many.

        The node was killed before it could finish them. Their clients may not come back: a file that was sent whole
        is not lost.
        """
        done = 0
        for id in await ctx.read(uploads.to_finish):
            if id not in self.locks.ids():
                try:
                    async with self.lock(id):
                        upload = await ctx.read(lambda reader, id=id: uploads.find(reader, id))
                        if upload is not None and upload.state in ("open", "finishing"):
                            await self.finish(ctx, upload)
                            done += 1
                except Refusal as refusal:
                    ctx.log.warning("an upload could not be finished: %s", refusal.message)
        return done

    async def terminate(self, ctx: Context, upload: Upload) -> None:
        """Remove an upload in progress. One that is a file already stays."""
        if upload.state == "done":
            raise Refusal("conflict", "the upload is a file already", path="upload")
        await ctx.write(lambda tx: uploads.end(tx, upload), repeatable=True)
        self._hashers.pop(upload.id, None)
        ctx.wake("collect")
