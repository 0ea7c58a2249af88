"""Uploads: a small file in one request, a larger one by tus, which continues after whatever happens."""

from __future__ import annotations

import mimetypes
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlencode

import attrs
import trio

from chatnode.client.errors import Unreachable
from chatnode.client.files.http import NodeHttp
from chatnode.client.files.retrying import Retries, TryAgain, failure_of
from chatnode.client.files.sources import PIECE_BYTES, Readable
from chatnode.client.files.tus import TusUpload
from chatnode.client.uploaded import UploadedFile, UploadOptions
from chatnode.errors import Refusal
from chatnode.protocol import codec

FILES = "/plugins/attachments/files"
SMALL_BYTES = 2**19
"""Up to here a file is sent in one request, and again from its beginning if that fails."""

Describe = Callable[[str], Awaitable[UploadedFile]]
"""Asks the node about the file with an id."""


async def upload(http: NodeHttp, source: Readable, options: UploadOptions, describe: Describe) -> UploadedFile:
    """Returns when the node has all of it, with the hash of what was sent.

    Raises the node's `Refusal`, or `Unreachable` when nothing moved for `patience` seconds. Cancelling leaves what the
    node has for somebody who resumes.
    """
    retries = Retries(options.patience, trio.current_time)
    try:
        if options.resume is None and await source.reach(0, SMALL_BYTES + 1) <= SMALL_BYTES:
            file = await _Small(http, source, options, retries).run()
        else:
            file = await describe(await _Resumable(http, source, options, retries).run())
            if file.message is not None:  # the program that began it was cut off after it had posted the file
                file = await describe(await _Resumable(http, source, attrs.evolve(options, resume=None), retries).run())
    except Refusal as refusal:
        if refusal.code == "not_found":  # a lost upload begins again, so it is the address that does not exist
            why = "this node does not accept files; its plugin `attachments` is not running"
            raise Refusal("not_found", why) from None
        raise
    await _check(file, source, options)
    return file


async def _check(file: UploadedFile, source: Readable, options: UploadOptions) -> None:
    """Whether the node has what was sent. Of a picture that it may have cleaned it tells another hash."""
    sent = await source.sha256()
    arrived = file.sent_sha256 if file.category == "image" else file.sha256
    if arrived is not None and arrived != sent:
        raise Refusal("conflict", f"{options.name} is not on the node as it was sent: the hashes differ; upload again")


def _declared_type(options: UploadOptions) -> str:
    return options.type or mimetypes.guess_type(options.name)[0] or "application/octet-stream"


class _Small:
    """One request, repeated until it succeeds. A repeat of one whose answer was lost makes a second file; the node
    collects the first, which nobody posts."""

    def __init__(self, http: NodeHttp, source: Readable, options: UploadOptions, retries: Retries) -> None:
        self._http = http
        self._source = source
        self._options = options
        self._retries = retries

    async def run(self) -> UploadedFile:
        count = await self._source.reach(0, SMALL_BYTES)
        body = await self._source.read(0, count)
        digest = b64encode(bytes.fromhex(await self._source.sha256())).decode()
        headers = {"Content-Type": _declared_type(self._options), "Repr-Digest": f"sha-256=:{digest}:"}
        fields = {"name": self._options.name, **({"as_file": "1"} if self._options.as_file else {})}
        self._options.progress(0, count)
        while True:
            try:
                file = await self._send(f"{FILES}?{urlencode(fields)}", headers, body)
            except (Unreachable, TryAgain) as error:
                await trio.sleep(self._retries.wait_after(error))
            else:
                self._options.progress(count, count)
                return file

    async def _send(self, path: str, headers: dict[str, str], body: bytes) -> UploadedFile:
        async with self._http.request("POST", path, headers, body) as response:
            answer = await response.read()
            if not 200 <= response.status < 300:
                raise failure_of(response.url, response.status, response.headers, answer)
        return UploadedFile.of(codec.decode(answer))


class _Resumable:
    def __init__(self, http: NodeHttp, source: Readable, options: UploadOptions, retries: Retries) -> None:
        self._http = http
        self._source = source
        self._options = options
        self._retries = retries
        self._tus = TusUpload(http.url, options.resume)
        self._best = 0

    async def run(self) -> str:
        """The id of the upload, once the node has all of it."""
        while not self._tus.done:
            try:
                await self._step()
            except (Unreachable, TryAgain) as error:
                self._tus.lost()
                await trio.sleep(self._retries.wait_after(error))
        assert self._tus.id is not None
        return self._tus.id

    async def _step(self) -> None:
        tus = self._tus
        step = tus.step
        if step == "create":
            await self._request("POST", tus.create_headers(self._source.length, self._metadata()))
            assert tus.id is not None
            self._options.created(tus.id)
        elif step == "find":
            if not await self._find():
                return
        else:
            count = await self._source.reach(tus.offset, tus.most)
            headers = tus.send_headers(count, self._source.length)
            await self._request("PATCH", headers, self._body(tus.offset, tus.offset + count))
        self._moved()

    async def _find(self) -> bool:
        """Ask for the offset; False when the upload must begin again, as the node has none of it any more."""
        tus, length = self._tus, self._source.length
        try:
            await self._request("HEAD", tus.find_headers())
        except Refusal as refusal:
            if refusal.code not in ("not_found", "gone") or self._source.kept_from:
                raise
        else:
            if tus.length in (None, length):
                return True  # else it is of another file
        tus.begin_again()
        self._best = 0
        return False

    async def _body(self, start: int, stop: int) -> AsyncIterator[bytes]:
        while start < stop:
            piece = await self._source.read(start, min(PIECE_BYTES, stop - start))
            yield piece
            start += len(piece)
            self._options.progress(start, self._source.length)

    async def _request(self, method: str, headers: dict[str, str], body: AsyncIterator[bytes] | bytes = b"") -> None:
        async with self._http.request(method, self._tus.path, headers, body) as response:
            answer = await response.read()
        self._tus.answered(response.status, response.headers, answer, self._source.length)

    def _moved(self) -> None:
        """The node told its offset."""
        offset, length = self._tus.offset, self._source.length
        if offset < self._source.kept_from or (length is not None and offset > length):
            raise Refusal(
                "conflict", f"the node reports {offset} bytes of {self._options.name}, which is impossible; try again"
            )
        self._options.progress(offset, length)
        self._source.forget(offset)
        if offset > self._best:
            self._best = offset
            self._retries.advanced()

    def _metadata(self) -> dict[str, str]:
        as_file = {"as_file": "1"} if self._options.as_file else {}
        return {"filename": self._options.name, "filetype": _declared_type(self._options), **as_file}
