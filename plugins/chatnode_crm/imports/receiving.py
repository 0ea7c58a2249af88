"""Receiving a file: from a request, a command or the node's disk, to the import's directory."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

import trio

from chatnode.api import Context, Refusal, Transaction, new_id, now_ms, sync_directory
from chatnode_crm.imports.layout import ImportFiles
from chatnode_crm.imports.rows import ImportRow, add_import, check_quota, check_source, import_by_id
from chatnode_crm.settings import MIB, CrmSettings

_BLOCK = 1 << 19
_LONGEST_NAME = 255


class _Sink:
    """The file being written; its functions block."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._sha256 = hashlib.sha256()
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, block: bytes) -> None:
        rest = memoryview(block)
        while rest:
            rest = rest[os.write(self._file, rest) :]
        self._sha256.update(block)
        self.size += len(block)

    def finish(self) -> bytes:
        """Put it on disk; returns the hash."""
        os.fsync(self._file)
        sync_directory(self.path.parent)
        return self._sha256.digest()

    def close(self) -> None:
        os.close(self._file)


async def receive(
    ctx: Context, name: str, chunks: AsyncIterator[bytes], length: int | None, *, like: str | None = None
) -> ImportRow:
    """Store a file as a new import: all of it, or nothing remains. If it is the file of the import with the id `like`,
    it must still be there in the end. Raises `Refusal`, and what `chunks` raises."""
    settings, began = ctx.settings(CrmSettings), now_ms()
    owner = None if ctx.account is None else ctx.account.key
    await ctx.read(lambda reader: check_quota(reader, owner, settings.imports_per_day, began))
    _check_room(ctx, length or 0)
    id = new_id()
    files = ImportFiles.of(ctx.directory, id)
    try:
        size, sha256 = await _store(ctx, files, chunks, settings.import_mib * MIB)

        def write(tx: Transaction) -> ImportRow:
            if like is not None:
                check_source(import_by_id(tx, like), "like")
            return add_import(
                tx, owner, id, name=clean_name(name), size=size, sha256=sha256, began=began,
                most_per_day=settings.imports_per_day,
            )  # fmt: skip

        return await ctx.write(write)
    except BaseException as error:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(files.remove)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise disk_full() from error
        raise


async def _store(ctx: Context, files: ImportFiles, chunks: AsyncIterator[bytes], most: int) -> tuple[int, bytes]:
    await trio.to_thread.run_sync(files.make)
    sink = await trio.to_thread.run_sync(_Sink, files.source)
    try:
        waiting: list[bytes] = []
        size = 0
        async for chunk in chunks:
            waiting.append(chunk)
            size += len(chunk)
            if most and sink.size + size > most:
                raise Refusal("too_large", f"the file has more than {most // MIB} MiB", path="file")
            if size >= _BLOCK:
                _check_room(ctx, size)
                await trio.to_thread.run_sync(sink.write, b"".join(waiting))
                waiting, size = [], 0
        await trio.to_thread.run_sync(sink.write, b"".join(waiting))
        if not sink.size:
            raise Refusal("invalid", "the file is empty", path="file")
        return sink.size, await trio.to_thread.run_sync(sink.finish)
    finally:
        sink.close()


def _check_room(ctx: Context, size: int) -> None:
    if size > ctx.free_bytes():
        raise disk_full()


def disk_full() -> Refusal:
    return Refusal("unavailable", "the disk is full; nothing was stored", retry_after=60)


def clean_name(name: str) -> str:
    """The last part of a path, without control characters."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(each for each in last if each.isprintable()).strip()[:_LONGEST_NAME] or "contacts"


async def in_blocks(path: Path) -> AsyncIterator[bytes]:
    """A file of the node's disk. Raises `Refusal("not_found")`."""
    try:
        file = await trio.to_thread.run_sync(_open_regular, path)
    except OSError as error:
        raise Refusal("not_found", f"cannot read {path}: {error.strerror}", path="path") from None
    with file:
        while block := await trio.to_thread.run_sync(file.read, _BLOCK):
            yield block


def _open_regular(path: Path) -> BinaryIO:
    """Raises `OSError`, also for pipes and devices: reading those could wait for ever, or never end."""
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "not a regular file")
    return open(file, "rb")


async def of_bytes(content: bytes) -> AsyncIterator[bytes]:
    yield content
