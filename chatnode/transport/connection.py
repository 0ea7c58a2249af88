"""One accepted connection, whatever is spoken on it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import cast

import attrs
import trio

from chatnode.logs import get_logger, kinds_of
from chatnode.transport.hub import Hub, SocketReader

logger = get_logger("listener")

READ_BYTES = 16_384
LINGER_SECONDS = 1.0
GONE = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)
"""What a peer that went away looks like; nothing worth a line in the log."""


def _not_counted(connection: Connection) -> None:
    """The default of `Connection.ended`."""


@attrs.define(eq=False)
class Connection:
    """One accepted connection. `socket` is non-blocking; `tls` is the stream over it if the port speaks TLS. `buffered`
    has bytes that were read and not used yet: of a body, of frames, of the next request. `ended` is called by `end`
    once the connection is closed. `kept`: it outlives the task that accepted it, and whatever keeps it calls `end`."""

    socket: socket.socket
    address: str
    port: int = 0
    ended: Callable[[Connection], None] = _not_counted
    kept: bool = False
    tls: trio.SSLStream[trio.SocketStream] | None = None
    buffered: bytes = b""
    hub: Hub | None = attrs.field(default=None, init=False)
    """Set while it watches this connection."""

    def receive(self, most: int = READ_BYTES) -> Awaitable[bytes]:
        """The next bytes, empty at the end. Raises OSError or one of trio's resource errors.

        Not a coroutine function itself: each coroutine between a task and trio makes every wake-up of the task slower.
        """
        return self._receive_raw(most) if self.tls is None else self._receive_decrypted(self.tls, most)

    @staticmethod
    async def _receive_decrypted(tls: trio.SSLStream[trio.SocketStream], most: int) -> bytes:
        return bytes(await tls.receive_some(most))

    async def _receive_raw(self, most: int = READ_BYTES) -> bytes:
        while True:
            await trio.lowlevel.wait_readable(self.socket)
            try:
                return self.socket.recv(most)
            except BlockingIOError:
                continue

    async def peek(self) -> bytes:
        """Wait for the next byte and return it without consuming it; empty at the end."""
        await trio.lowlevel.wait_readable(self.socket)
        return self.socket.recv(1, socket.MSG_PEEK)

    async def send_all(self, data: bytes) -> None:
        """Send all of it, as fast as the peer takes it. Raises one of `GONE`. If it is cancelled halfway, nothing may
        be sent after it."""
        if self.tls is not None:
            await self.tls.send_all(data)
            return
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self.socket.send(rest) :]
            except BlockingIOError:
                await trio.lowlevel.wait_writable(self.socket)

    def hold_little(self) -> None:
        """Let the kernel buffer little unsent data, so that `send_all` goes as fast as the peer reads."""
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, READ_BYTES)

    @property
    def closed(self) -> bool:
        return self.socket.fileno() == -1

    @property
    def local_address(self) -> tuple[str, int]:
        """Host and port the peer connected to."""
        return self.socket.getsockname()[:2]

    async def linger(self) -> None:
        """End our side and give the peer a moment to end its own.

        Closing with bytes unread would reset the connection, and the peer would lose what it has not read yet.
        """
        with trio.move_on_after(LINGER_SECONDS), contextlib.suppress(OSError, trio.ClosedResourceError):
            if self.tls is not None:
                with trio.move_on_after(LINGER_SECONDS / 2), contextlib.suppress(trio.BrokenResourceError):
                    await self.tls.unwrap()  # tells the peer that nothing was cut off
            self.socket.shutdown(socket.SHUT_WR)
            while await self._receive_raw():
                pass

    def stream(self) -> trio.SocketStream:
        """The plain connection as trio's stream."""
        return trio.SocketStream(trio.socket.from_stdlib_socket(self.socket))

    def watch(self, hub: Hub, reader: SocketReader) -> None:
        """Let the hub tell `reader` when this plain connection is readable. Raises OSError."""
        if self.hub is None:
            hub.add(self.socket.fileno(), reader)
            self.hub = hub

    def unwatch(self) -> None:
        if self.hub is not None:
            self.hub.remove(self.socket.fileno())
            self.hub = None

    async def end(self) -> None:
        """Linger, then close. Raises nothing: it is called outside of the connection's barrier."""
        try:
            await self.linger()
        except Exception as error:
            self.log_fault(error)
        finally:
            self.close_now()
            self.ended(self)

    def close_now(self) -> None:
        """Close at once; tasks that send or receive get `trio.ClosedResourceError`."""
        if self.socket.fileno() != -1:
            self.unwatch()  # first: the next connection may get the same file descriptor
            trio.lowlevel.notify_closing(self.socket)
            self.socket.close()

    def log_fault(self, error: BaseException) -> None:
        """Log why the connection failed, unless the peer went away."""
        log_fault(self.address, error)


def log_fault(address: str, error: BaseException) -> None:
    """Log why a connection failed, unless the peer went away."""
    fault: BaseException | None = None if isinstance(error, GONE) else error
    if isinstance(error, BaseExceptionGroup):
        _, fault = cast("BaseExceptionGroup[BaseException]", error).split(GONE)
    if fault is not None:
        logger.warning("a connection from %s failed: %s", address, kinds_of(fault))
