"""Sends the response of a plugin's route: text, bytes, a part of a file, or what an iterator yields.

Everything goes as fast as the client takes it. A file is read in pieces, in threads, the next one while the last is
being sent.
"""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from math import inf

import trio

from chatnode.errors import Refusal
from chatnode.hooks.routes import FilePart, Response
from chatnode.protocol import codec
from chatnode.transport.exchange import Send

PIECE_BYTES = 262_144
_PATIENT_BYTES = 65_536
"""A client has the idle time for each so many bytes."""
_READERS = trio.CapacityLimiter(8)
"""Threads that read files: all of trio's own would make everything else wait for the disk."""
JSON = "application/json"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HARDENING = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": PAGE_POLICY,
    "Cache-Control": "no-store",  # responses are personal
}
"""Header fields of every response that does not set them itself."""

_NO_BODY = (204, 304)


def refusal_response(refusal: Refusal, status: int | None = None) -> Response:
    """The node's form of a refusal."""
    headers: dict[str, str] = {}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(int(refusal.retry_after) + 1)
    return Response(codec.encode({"error": refusal.as_json()}), status or refusal.status, JSON, headers)


class OpenedPart:
    """A part of a file that is open. It is closed by `read_ahead`, which must be run."""

    def __init__(self, descriptor: int, start: int, stop: int) -> None:
        self._descriptor = descriptor
        self.start = start
        self.stop = stop

    @classmethod
    def open(cls, part: FilePart) -> OpenedPart:
        """Raises `Refusal("not_found")`."""
        try:
            descriptor = os.open(part.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise Refusal("not_found", "this file does not exist any more") from None
        try:
            size = os.fstat(descriptor).st_size
            stop = size if part.stop is None else part.stop
            if not 0 <= part.start <= stop <= size:
                raise ValueError(f"the file has {size} bytes, and the part is {part.start} to {stop}")
        except BaseException:
            os.close(descriptor)
            raise
        return cls(descriptor, part.start, stop)

    async def read_ahead(self, pieces: trio.MemorySendChannel[bytes | Exception], wanted: bool) -> None:
        """Read piece after piece, each while the one before it is being sent. A fault is sent as the last piece."""
        try:
            with pieces, suppress(trio.BrokenResourceError):  # the client has gone
                while wanted and self.start < self.stop:
                    await pieces.send(await trio.to_thread.run_sync(self._read, limiter=_READERS))
        finally:
            os.close(self._descriptor)

    def _read(self) -> bytes | OSError:
        try:
            piece = os.pread(self._descriptor, min(PIECE_BYTES, self.stop - self.start), self.start)
        except OSError as error:
            piece, fault = b"", error
        else:
            fault = OSError(errno.EIO, "the file was truncated")
        self.start = self.start + len(piece) if piece else self.stop
        return piece or fault


class ResponseSender:
    """Sends one response. `idle`: seconds that a client may take nothing. `begun` once its head was given out. Files
    are read by a task in `nursery`."""

    def __init__(self, method: str, send: Send, idle: float, nursery: trio.Nursery) -> None:
        self._without_body = method == "HEAD"
        self._send_message = send
        self._idle = idle or inf
        self._nursery = nursery
        self.begun = False

    async def send(self, response: Response, further: dict[str, str]) -> bool:
        """Whether the client was sent everything, and not only the head.

        `further` are header fields besides the response's own. Raises `ClientGone`, trio's `TooSlowError`,
        `Refusal("not_found")` for a file that does not exist, and what the response's iterator raises."""
        body = response.body
        if isinstance(body, str):
            body = body.encode()
        if isinstance(body, FilePart):
            await self._send_file(response, body, further)
        elif isinstance(body, bytes):
            await self._start(response, further, len(body))
            await self._finish(body)
        else:
            await self._start(response, further, None)
            await self._send_parts(body)
        return not self._without_body

    async def _start(self, response: Response, further: dict[str, str], length: int | None) -> None:
        fields = {**further, **{name.lower(): value for name, value in response.headers.items()}}
        if response.content_type:
            fields.setdefault("content-type", response.content_type)
        if length is not None and response.status not in _NO_BODY:
            fields["content-length"] = str(length)
        for name, value in HARDENING.items():
            fields.setdefault(name.lower(), value)
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
        await self._send_message({"type": "http.response.start", "status": response.status, "headers": headers})
        self.begun = True
        self._without_body |= response.status in _NO_BODY

    async def _send_parts(self, parts: AsyncIterator[bytes]) -> None:
        try:
            if not self._without_body:
                async for part in parts:
                    await self._send_part(part)
            await self._finish()
        finally:
            if (close := getattr(parts, "aclose", None)) is not None:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                    await close()

    async def _send_file(self, response: Response, part: FilePart, further: dict[str, str]) -> None:
        file = await trio.to_thread.run_sync(OpenedPart.open, part, limiter=_READERS)
        size = file.stop - file.start
        send_pieces, pieces = trio.open_memory_channel[bytes | Exception](0)
        self._nursery.start_soon(file.read_ahead, send_pieces, bool(size) and not self._without_body)
        with pieces:
            await self._start(response, further, size)
            async for piece in pieces:
                if isinstance(piece, Exception):
                    raise piece
                await self._send_part(piece)
        await self._finish()

    async def _send_part(self, part: bytes) -> None:
        patience = self._idle * (1 + len(part) / _PATIENT_BYTES)
        with trio.fail_after(patience):
            await self._send_message({"type": "http.response.body", "body": part, "more_body": True})

    async def _finish(self, last: bytes = b"") -> None:
        patience = self._idle * (1 + len(last) / _PATIENT_BYTES)
        with trio.fail_after(patience):
            await self._send_message({"type": "http.response.body", "body": last, "more_body": False})
