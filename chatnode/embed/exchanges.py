"""Requests and client sockets that reach an attached process: each goes to the owner over a connection of its own, as
the messages of ASGI. Backpressure is the kernel's, in both directions.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections import deque
from typing import Any, cast

import attrs
import trio

from chatnode.concurrency import raise_single
from chatnode.embed.link import NoOwner, OwnerConnection
from chatnode.errors import ConnectionLost
from chatnode.protocol import codec
from chatnode.storage.people.identities import ProgramUser
from chatnode.transport.exchange import Application, ClientGone, Message, Receive, Send
from chatnode.transport.lines import LineReader, send_lines
from chatnode.transport.mount import Vouched
from chatnode.transport.origins import Mount

PIECE_BYTES = 1 << 20
"""Of a body in a line; it is a third longer there, and longer lines than `LINE_BYTES` are not read."""
_BYTES = "\0bytes"  # no key of a message or scope


def scope_fields(scope: dict[str, Any]) -> dict[str, Any]:
    """An `inner_scope` as plain values."""
    state = scope["state"]
    mount: Mount = state["mount"]
    vouched: Vouched | None = state["vouched"]
    return {
        "scope": _plain({name: value for name, value in scope.items() if name != "state"}),
        "mount": [mount.prefix, mount.secure],
        "vouched": None if vouched is None else attrs.asdict(vouched),
    }


def scope_of(fields: dict[str, Any]) -> dict[str, Any]:
    """The scope that `scope_fields` wrote."""
    scope = _with_bytes(fields["scope"])
    found = fields["vouched"]
    vouched = None if found is None else Vouched(ProgramUser(**found["identity"]), found["profile"])
    scope["client"], scope["server"] = (tuple(scope[name]) if scope[name] else None for name in ("client", "server"))
    return scope | {"state": {"mount": Mount(*fields["mount"]), "vouched": vouched}}


async def _send_message(stream: trio.SocketStream, message: Message) -> None:
    """A body goes in pieces, as applications may give any length at once. Raises as `send_lines`."""
    while len(body := message.get("body") or b"") > PIECE_BYTES:
        piece = {**message, "body": body[:PIECE_BYTES], "more_body": True}
        await send_lines(stream, [codec.encode(_plain(piece))])
        message = {**message, "body": memoryview(body)[PIECE_BYTES:]}
    await send_lines(stream, [codec.encode(_plain(message))])


def _message_of(frame: dict[str, Any]) -> Message:
    return _with_bytes(frame)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        return {_BYTES: b64encode(value).decode()}
    if isinstance(value, memoryview):
        return _plain(bytes(cast("memoryview[int]", value)))
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in cast("dict[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in cast("list[Any]", value)]
    return value


def _with_bytes(value: Any) -> Any:
    if isinstance(value, dict):
        values = cast("dict[str, Any]", value)
        if _BYTES in values:
            return b64decode(values[_BYTES])
        found = {name: _with_bytes(each) for name, each in values.items()}
        if "headers" in found:
            found["headers"] = [tuple(pair) for pair in found["headers"]]
        return found
    if isinstance(value, list):
        return [_with_bytes(each) for each in cast("list[Any]", value)]
    return value


# ---- in the attached process


async def forward(connection: OwnerConnection, receive: Receive, send: Send) -> None:
    """Let the owner answer, until it has, or the client goes. Raises `ConnectionLost` if the owner ends before that."""

    async def feed() -> None:
        while True:
            message = await receive()
            # The end of the connection says so to the owner, even a hung one.
            if message["type"].endswith(".disconnect"):
                nursery.cancel_scope.cancel()
            try:
                await _send_message(connection.stream, message)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return  # the other direction tells

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(feed)
            try:
                while "over" not in (frame := await connection.next()):
                    await send(_message_of(frame))
            except NoOwner:
                raise ConnectionLost("the process that owns the node ended before it answered") from None
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise_single(group)


# ---- in the owner's process


class ForwardedExchange:
    """One request or client socket, from an attached process."""

    def __init__(self, stream: trio.SocketStream, reader: LineReader, scope: dict[str, Any]) -> None:
        self._stream = stream
        self._reader = reader
        self._scope = scope
        self._lines: deque[bytes] = deque()

    async def run(self, answer: Application) -> None:
        """Until it is answered. If the attached process ends it, that is as when a client goes.

        It is begun when that process says so: one that could not wait for the answer to `attach` asks another time, and
        what it asks for must not be done twice.
        """
        self._lines.extend(await self._reader.read())
        if not self._lines:
            return
        self._lines.popleft()
        await answer(self._scope, self._receive, self._send)
        await send_lines(self._stream, [b'{"over":true}'])

    async def _receive(self) -> Message:
        if not self._lines:
            self._lines.extend(await self._reader.read())
        if not self._lines:
            return {"type": f"{self._scope['type']}.disconnect", "code": 1006}
        return _message_of(codec.decode(self._lines.popleft()))

    async def _send(self, message: Message) -> None:
        """Raises `ClientGone`."""
        try:
            await _send_message(self._stream, message)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise ClientGone from None
