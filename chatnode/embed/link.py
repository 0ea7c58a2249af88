"""The attached side of connections to the process that owns the node."""

from __future__ import annotations

import os
import socket
import struct
from collections import deque
from math import inf
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import attrs
import trio

from chatnode import forking
from chatnode.concurrency import first_of
from chatnode.control_socket import ATTACH, NAME, address, refusal_of
from chatnode.embed.frames import VERSION, Who
from chatnode.errors import ConnectionLost, Refusal, StartError
from chatnode.protocol import codec
from chatnode.storage.engine.file_owners import fault
from chatnode.transport.lines import LINE_BYTES, LineReader, LineSender, send_lines

ANSWER_SECONDS = 5.0
"""How long the owner may take to answer `attach`."""
LEAST_ANSWER_SECONDS = 0.5
"""The same at the end of the time that a start may take."""
_CREDENTIALS = struct.Struct("3i")  # of a Unix socket's other end: process, user, group


class NoOwner(Exception):
    """No process serves this directory now, or the one that did began nothing of this: it can be asked again."""


class OwnerHung(NoOwner):
    """The process that serves this directory takes connections, and does not answer."""

    def __init__(self, process: int) -> None:
        super().__init__(f"process {process}, which owns the node, does not answer")
        self.process = process


class OwnerConnection:
    """A connection that the owner has accepted: made by `connect`. `welcome` is its answer, `process` its number."""

    def __init__(self, stream: trio.SocketStream, reader: LineReader, welcome: dict[str, Any]) -> None:
        self.stream = stream
        self.reader = reader
        self.welcome = welcome
        self.process = _process_of(stream)
        self._frames: deque[bytes] = deque()

    async def next(self) -> dict[str, Any]:
        """The next frame. Raises `NoOwner` at the end of the connection, and a `Refusal` that came instead."""
        while not self._frames:
            lines = await self.reader.read()
            if not lines:
                self.close()
                raise NoOwner("the owner is gone")
            self._frames.extend(lines)
        frame = codec.decode(self._frames.popleft())
        if "error" in frame:
            raise refusal_of(frame["error"])
        return frame

    async def send(self, frame: dict[str, Any]) -> None:
        """Raises `NoOwner`."""
        try:
            await send_lines(self.stream, [codec.encode(frame)])
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.close()
            raise NoOwner("the owner is gone") from None

    def close(self) -> None:
        """On the trio thread; closing twice does nothing."""
        _close(self.stream)

    def drop(self, token: trio.lowlevel.TrioToken) -> None:
        """Close it from any thread, also after the trio run that it belonged to."""
        try:
            token.run_sync_soon(self.close)
        except trio.RunFinishedError:
            descriptor = self.stream.socket.detach()
            if descriptor >= 0:
                forking.forget(descriptor)
                os.close(descriptor)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


async def connect(
    data: Path, purpose: str, *, answer_seconds: float = ANSWER_SECONDS, **fields: Any
) -> OwnerConnection:
    """A connection to the owner.

    Raises `NoOwner`, `OwnerHung` after `answer_seconds`, `StartError` if this process may not connect, or this version
    cannot attach to the owner's, or the owner's `Refusal`.
    """
    stream = await _connect(data)
    forking.keep_from_children(stream.socket.fileno())
    try:
        reader = LineReader(stream)
        welcome = await _ask(stream, reader, answer_seconds, {"version": VERSION, "for": purpose, **fields})
        return OwnerConnection(stream, reader, welcome)
    except BaseException:
        _close(stream)
        raise


def _process_of(stream: trio.SocketStream) -> int:
    """Who listens at the other end, or did when it was connected."""
    credentials = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return _CREDENTIALS.unpack(credentials)[0]


def _close(stream: trio.SocketStream) -> None:
    descriptor = stream.socket.fileno()
    if descriptor >= 0:
        forking.forget(descriptor)
        stream.socket.close()


async def _connect(data: Path) -> trio.SocketStream:
    connection = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        directory = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
        try:
            await connection.connect(address(directory, data))
        finally:
            os.close(directory)
    except PermissionError as error:
        connection.close()
        why = fault(data) or fault(data / NAME) or f"{data}: {error.strerror}"
        raise StartError(f"cannot attach to the node: {why}") from None
    except OSError as error:
        connection.close()
        raise NoOwner(f"nothing answers at the control socket in {data}") from error
    except BaseException:
        connection.close()
        raise
    return trio.SocketStream(connection)


async def _ask(stream: trio.SocketStream, reader: LineReader, seconds: float, fields: dict[str, Any]) -> dict[str, Any]:
    lines: list[bytes] = []
    with trio.move_on_after(seconds) as patience:
        try:
            await send_lines(stream, [codec.encode({"id": 0, "op": ATTACH, **fields})])
            lines = await reader.read()
        except trio.BrokenResourceError:
            pass
    if patience.cancelled_caught:
        raise OwnerHung(_process_of(stream))
    if not lines:
        raise NoOwner("the owner is gone")
    reader.put_back(lines[1:])
    reply = codec.decode(lines[0])
    if "ok" in reply:
        return reply["ok"]
    refusal = refusal_of(reply["error"])
    if refusal.code == "unknown_command":
        raise StartError("the node runs a version of chatnode that does not support attaching; upgrade and restart it")
    raise refusal


@attrs.define(eq=False)
class _Call:
    """A call under way; `done` is set with one of the others."""

    done: trio.Event = attrs.field(factory=trio.Event)
    reply: dict[str, Any] | None = None
    error: Exception | None = None

    def end(self, *, reply: dict[str, Any] | None = None, error: Exception | None = None) -> None:
        self.reply, self.error = reply, error
        self.done.set()


class OwnerLink:
    """A connection for calls, as many at a time as are made. `run` carries it; calls made before wait for it."""

    def __init__(self, connection: OwnerConnection) -> None:
        self._connection = connection
        self._sender = LineSender(connection.stream)
        self._calls: dict[int, _Call] = {}
        self._count = 0
        self._lost = False
        # So that the owner takes each call at once: the word that one is cancelled must not wait behind another.
        self._turns = trio.CapacityLimiter(connection.welcome["most_calls"] or inf)

    @property
    def process(self) -> int:
        """The owner's number."""
        return self._connection.process

    @property
    def welcome(self) -> dict[str, Any]:
        return self._connection.welcome

    async def call(self, who: Who, name: str, fields: dict[str, Any]) -> Any:
        """The result as plain values. Cancelling also cancels the call at the owner; a write that is under way there is
        carried out all the same.

        Raises the owner's `Refusal`, `NoOwner` if the owner ended before it began the call, and `ConnectionLost` if
        that is not known.
        """
        async with self._turns:
            return await self._call(who, name, fields)

    async def _call(self, who: Who, name: str, fields: dict[str, Any]) -> Any:
        await self._sender.wait_room()
        if self._lost:
            raise NoOwner("the connection to the owner is lost")
        number = self._count + 1
        line = _encode({"id": number, "as": who, "op": name, "fields": fields})
        self._count = number  # nothing is awaited up to `put`: numbers are sent in their order
        call = self._calls[number] = _Call()
        self._sender.put(line)
        try:
            await call.done.wait()
        except trio.Cancelled:
            self._sender.put(codec.encode({"cancel": number}))
            raise
        finally:
            self._calls.pop(number, None)
        if call.error is not None:
            raise call.error
        assert call.reply is not None
        if "ok" in call.reply:
            return call.reply["ok"]
        raise refusal_of(call.reply["error"])

    async def run(self) -> None:
        """Until cancelled, or until the connection is lost; then every call under way has failed."""
        begun: int | None = None
        try:
            begun = await first_of(self._read, self._send)
        finally:
            self._lost = True
            for number, call in list(self._calls.items()):
                known = begun is not None and number > begun
                call.end(error=NoOwner("the owner is stopping") if known else _lost())

    async def _send(self) -> int:
        await self._sender.run()
        return await trio.sleep_forever()  # the reading side gets what came before the end

    async def _read(self) -> int:
        """Take replies; gives the number of the last call that may have begun."""
        while lines := await self._connection.reader.read():
            for line in lines:
                frame = codec.decode(line)
                if "stopping" in frame:
                    return frame["stopping"]
                call = self._calls.get(frame["id"])
                if call is not None:
                    call.end(reply=frame)
        return self._count


def _lost() -> ConnectionLost:
    return ConnectionLost("the outcome is unknown: the process that owns the node ended before it answered")


def _encode(values: dict[str, Any]) -> bytes:
    """Raises `Refusal` for what cannot be sent."""
    try:
        line = codec.encode(values)
    except TypeError as error:
        raise Refusal("invalid", f"{values['op']}: fields must be plain values, as JSON has them: {error}") from None
    if len(line) >= LINE_BYTES:
        raise Refusal("too_large", f"{values['op']}: the request is larger than {LINE_BYTES} bytes")
    return line
