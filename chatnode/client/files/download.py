"""Downloads: into a `.part` file that is continued after whatever happens, and takes its name when it is whole."""

from __future__ import annotations

import errno
import hashlib
import os
import re
from base64 import b64decode
from binascii import Error
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path

import attrs
import trio

from chatnode.client.errors import Unreachable
from chatnode.client.files.http import HttpResponse, NodeHttp
from chatnode.client.files.retrying import Retries, TryAgain, failure_of
from chatnode.client.uploaded import DownloadOptions
from chatnode.errors import Refusal

FILES = "/plugins/attachments/files"
_BLOCK_BYTES = 2**20
_RANGE = re.compile(r"bytes (?:([0-9]{1,18})-[0-9]+|\*)/([0-9]{1,18})")
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


@attrs.frozen
class Served:
    """What the headers of a response say of the whole file."""

    bytes: int
    tag: str
    sha256: bytes | None
    start: int

    @classmethod
    def of(cls, response: HttpResponse) -> Served:
        headers = response.headers
        found = _RANGE.fullmatch(headers.get("content-range", ""))
        if found is not None:
            start, size = int(found[1] or 0), int(found[2])
        else:
            start, size = 0, _whole_number(headers.get("content-length", ""), response)
        return cls(size, headers.get("etag", ""), _digest(headers), start)


def _whole_number(text: str, response: HttpResponse) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise Refusal("internal", f"{response.url} does not say how large the file is")
    return int(text)


def _digest(headers: Mapping[str, str]) -> bytes | None:
    """SHA-256 of the whole file, by `Repr-Digest` (RFC 9530)."""
    found = re.search(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]+):", headers.get("repr-digest", ""))
    try:
        return b64decode(found[1], validate=True) if found else None
    except Error:
        return None


async def download(http: NodeHttp, file: str, target: Path, options: DownloadOptions) -> None:
    """Returns when the whole file is at `target`, with the hash that the node gives.

    What arrived before a failure or a cancellation stays in `<id>.part` beside it, for the next time.
    """
    variant = options.variant
    for name in (file,) if variant is None else (file, variant):
        if not _ID.fullmatch(name):
            raise Refusal("invalid", f"{name[:100]!r} is not the id of a file", path="file")
    name = file if variant is None else f"{file}.{variant}"
    part = await trio.to_thread.run_sync(_open_part, target, target.parent / f"{name}.part", options.overwrite)
    try:
        path = f"{FILES}/{file}" if variant is None else f"{FILES}/{file}/{variant}"
        await _Transfer(http, path, part, options).run()
        await trio.to_thread.run_sync(part.finish, target, options.overwrite)
    finally:
        part.close()


def _open_part(target: Path, path: Path, overwrite: bool) -> _Part:
    if not overwrite and os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(target))
    return _Part(path)


class _Part:
    """The file that is being written, and the hash of what it has. All but `at` blocks."""

    def __init__(self, path: Path) -> None:
        self._path = path
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(path, flags, 0o666)
        self._hash = hashlib.sha256()
        self.at = 0
        while piece := os.pread(self._descriptor, _BLOCK_BYTES, self.at):
            self._hash.update(piece)
            self.at += len(piece)

    def append(self, block: bytes) -> None:
        view = memoryview(block)
        while view:
            written = os.pwrite(self._descriptor, view, self.at)
            self._hash.update(view[:written])
            self.at += written
            view = view[written:]

    def begin_again(self) -> None:
        os.ftruncate(self._descriptor, 0)
        self._hash = hashlib.sha256()
        self.at = 0

    def is_whole(self, served: Served) -> bool:
        return self.at == served.bytes and served.sha256 in (None, self._hash.digest())

    def finish(self, target: Path, overwrite: bool) -> None:
        os.fsync(self._descriptor)
        if overwrite:
            os.replace(self._path, target)
        else:
            _rename_new(self._path, target)

    def close(self) -> None:
        os.close(self._descriptor)


def _rename_new(path: Path, target: Path) -> None:
    """A rename that replaces nothing. Raises `FileExistsError`."""
    try:
        os.link(path, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        os.replace(path, target)
    else:
        os.unlink(path)


class _Transfer:
    def __init__(self, http: NodeHttp, path: str, part: _Part, options: DownloadOptions) -> None:
        self._http = http
        self._path = path
        self._part = part
        self._progress = options.progress
        self._retries = Retries(options.patience, trio.current_time)
        self._served: Served | None = None
        self._mismatches = 0

    async def run(self) -> None:
        """Until the part is whole."""
        while True:
            try:
                if self._served is not None and self._part.at >= self._served.bytes:
                    if self._part.is_whole(self._served):
                        return
                    await self._mismatch()
                await self._receive()
            except (Unreachable, TryAgain) as error:
                await trio.sleep(self._retries.wait_after(error))

    async def _mismatch(self) -> None:
        self._mismatches += 1
        if self._mismatches > 2:
            raise Refusal("conflict", "the file repeatedly arrived with a hash that differs from the node's")
        await self._begin_again()

    async def _begin_again(self) -> None:
        await trio.to_thread.run_sync(self._part.begin_again)

    async def _receive(self) -> None:
        """As much as comes of the rest."""
        headers: dict[str, str] = {}
        if self._part.at:
            headers["Range"] = f"bytes={self._part.at}-"
            if self._served is not None and self._served.tag:
                headers["If-Range"] = self._served.tag
        async with self._http.request("GET", self._path, headers) as response:
            if response.status == 416:  # a part from an earlier time, which may be anything
                await self._begin_again()
                return
            if response.status not in (200, 206):
                raise failure_of(response.url, response.status, response.headers, await response.read())
            self._served = Served.of(response)
            if self._served.start != self._part.at:
                await self._begin_again()
                if self._served.start:
                    return  # not the part that was asked for
            await self._write(response, self._served)

    async def _write(self, response: HttpResponse, served: Served) -> None:
        block = bytearray()
        try:
            async with aclosing(response.chunks()) as chunks:
                async for chunk in chunks:
                    block += chunk
                    if len(block) >= _BLOCK_BYTES:
                        full, block = block, bytearray()
                        await self._append(full, served)
        finally:
            with trio.CancelScope(shield=True):
                await self._append(block, served)

    async def _append(self, block: bytearray, served: Served) -> None:
        if block:
            await trio.to_thread.run_sync(self._part.append, bytes(block))
            self._retries.advanced()
        self._progress(self._part.at, served.bytes)
