"""Connections to a node: opening one, a WebSocket on it, and asking one thing before or at its beginning."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast
from urllib.parse import urlsplit

import attrs
import trio
from trio_websocket import ConnectionClosed, ConnectionRejected, WebSocketConnection, wrap_client_stream
from wsproto.utilities import ProtocolError

from chatnode.client.errors import Unreachable, refusal_of
from chatnode.concurrency import raise_single
from chatnode.errors import Refusal
from chatnode.protocol import codec

OPEN_SECONDS = 20.0
"""How long connecting, TLS and the upgrade may take together."""
CLOSE_SECONDS = 2.0
"""How long the node may take to answer a close frame."""
MOST_FRAME_BYTES = 2**26  # a page of 500 of the longest messages; what is asked for is the asker's to bound
SOCKET = "/v1/socket"
"""The path of the client socket."""
_READ_BYTES = 65_536


@attrs.frozen
class Address:
    """Where a node is. `base` is what its paths begin with, behind a proxy that does not give it a host of its own."""

    url: str
    host: str
    port: int
    secure: bool
    base: str

    @classmethod
    def of(cls, url: str) -> Address:
        """From the node's http or https address; raises `Unreachable` for anything else."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise Unreachable(f"{url!r} is not an address: {error}") from None
        secure = parts.scheme == "https"
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Unreachable(f"{url!r} is not a node's address; expected one such as http://127.0.0.1:8008")
        return cls(url, parts.hostname, port or (443 if secure else 80), secure, parts.path.rstrip("/"))

    def target(self, path: str) -> str:
        """What to request for a path of the node's."""
        return self.base + path

    @property
    def host_field(self) -> str:
        """The `Host` of the upgrade request."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


@asynccontextmanager
async def open_socket(address: Address, tls: ssl.SSLContext | None = None) -> AsyncGenerator[WebSocketConnection]:
    """A WebSocket to the node, closed at the end; `tls` None is the system's own trust.

    Raises `Unreachable` when it cannot be opened, and `ConnectionClosed` when the node breaks the protocol.
    What the body raises comes out as it is.
    """
    deadline = trio.current_time() + OPEN_SECONDS
    stream = _WatchedStream(await open_stream(address, tls, deadline))
    try:
        async with trio.open_nursery() as nursery:
            socket = await _upgrade(nursery, stream, address, deadline)
            yield socket
            with trio.move_on_after(CLOSE_SECONDS):
                await socket.aclose()
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        _, faults = group.split((ConnectionRejected, ConnectionClosed, ProtocolError))
        if faults is not None:
            raise_single(faults)
        raise _broken(address, group) from None
    finally:
        await trio.aclose_forcefully(stream)


async def ask(socket: WebSocketConnection, command: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Send one request and take its reply, on a socket where nothing else goes on.

    Raises the node's `Refusal`, or `ConnectionClosed`.
    """
    await socket.send_message(codec.encode({**fields, "id": 0, "op": command}).decode())
    while True:
        reply = frame_object(await socket.get_message())
        if reply.get("id") == 0:
            if "ok" in reply:
                return reply["ok"]
            raise refusal_of(reply.get("error"))


def frame_object(text: str | bytes) -> dict[str, Any]:
    """The JSON object in a frame; an empty one for a frame that is something else."""
    try:
        value: Any = codec.decode(text.encode() if isinstance(text, str) else text)
    except Refusal:
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


async def open_stream(address: Address, tls: ssl.SSLContext | None, deadline: float) -> trio.abc.Stream:
    """A connection to the node, encrypted if its address says so. Raises `Unreachable`."""
    with trio.move_on_at(deadline):
        try:
            stream: trio.abc.Stream = await trio.open_tcp_stream(address.host, address.port)
        except OSError as error:
            raise Unreachable(f"cannot reach {address.url} ({_why(error)}); is the node running?") from None
        except UnicodeError as error:  # a label that is empty, too long, or has a character that none may have
            raise Unreachable(f"{address.url!r} is not an address: {address.host}: {error}") from None
        return await _encrypt(stream, address, tls) if address.secure else stream
    raise Unreachable(f"{address.url} did not answer within {OPEN_SECONDS:g} s")


async def check_reachable(url: str) -> None:
    """Raises `Unreachable` if nothing accepts connections at the node's address."""
    stream = await open_stream(Address.of(url), None, trio.current_time() + OPEN_SECONDS)
    await trio.aclose_forcefully(stream)


def _why(error: OSError) -> str:
    """The system's own word: trio's error for several addresses has one error for each behind it."""
    cause = error.__cause__
    if isinstance(cause, BaseExceptionGroup):
        each = cast("BaseExceptionGroup[BaseException]", cause).exceptions[0]
        return (isinstance(each, OSError) and each.strerror) or str(each)
    return (isinstance(cause, OSError) and cause.strerror) or error.strerror or str(error)


async def _encrypt(stream: trio.abc.Stream, address: Address, tls: ssl.SSLContext | None) -> trio.abc.Stream:
    context = tls or ssl.create_default_context()
    encrypted = trio.SSLStream(stream, context, server_hostname=address.host, https_compatible=True)
    try:
        await encrypted.do_handshake()
    except trio.BrokenResourceError as error:
        await trio.aclose_forcefully(stream)
        raise Unreachable(f"cannot speak TLS with {address.url}: {error.__cause__ or error}") from None
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return encrypted


async def _upgrade(
    nursery: trio.Nursery, stream: _WatchedStream, address: Address, deadline: float
) -> WebSocketConnection:
    with trio.move_on_at(deadline), stream.before_end:
        return await wrap_client_stream(
            nursery,
            cast("trio.SocketStream", stream),
            address.host_field,
            address.target(SOCKET),
            max_message_size=MOST_FRAME_BYTES,
            receive_buffer_size=_READ_BYTES,
        )
    if stream.before_end.cancel_called:
        raise Unreachable(f"{address.url} closed the connection before it began")
    raise Unreachable(f"{address.url} did not answer within {OPEN_SECONDS:g} s")


def _broken(address: Address, group: BaseExceptionGroup[Any]) -> Unreachable | ConnectionClosed:
    """What to say of a connection that trio-websocket gave up."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    if not isinstance(error, ConnectionRejected):
        return error if isinstance(error, ConnectionClosed) else ConnectionClosed(None)
    reason = (error.body or b"").decode(errors="replace").strip()[:200]
    return Unreachable(f"{address.url} answers with status {error.status_code}" + (f": {reason}" if reason else ""))


class _WatchedStream(trio.abc.Stream):
    """A stream that cancels `before_end` when the peer has ended it.

    trio-websocket waits forever for the answer to an upgrade when the connection is cut before it.
    """

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.before_end = trio.CancelScope()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        try:
            data = await self._stream.receive_some(max_bytes)
        except trio.BrokenResourceError:
            self.before_end.cancel()
            raise
        if not data:
            self.before_end.cancel()
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()
