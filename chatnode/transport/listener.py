"""The listener: accepts connections, reads the head of the first request, and hands the connection on.

An upgrade at `/v1/socket` goes to the client socket; everything else to HTTP, with the bytes already read put
back. What is promised:

- Whatever a peer sends, only its own connection ends: each has a barrier of its own.
- Connections are limited in all and per address; heads in size and in time.
- A peer that acknowledges nothing is dropped by the kernel (TCP_USER_TIMEOUT), also while a send to it is shielded.
- Stopping takes its time limit and no more: accepting stops at once, sessions are told to resume and get to
  take what is queued, and then every socket is closed by force.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from math import inf
from typing import Protocol, cast

import attrs
import trio

from chatnode.addresses import ANY, Bind, client_key, is_among
from chatnode.config import Config
from chatnode.errors import StartError
from chatnode.logs import get_logger, kinds_of
from chatnode.transport.head import BadHead, Head, end_of_head, parse_head, refusal_response

logger = get_logger("listener")

READ_BYTES = 16_384
SOCKET_PATH = b"/v1/socket"
_BACKLOG = 2_048
LINGER_SECONDS = 1.0
_OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


@attrs.define(eq=False)
class Connection:
    """One accepted connection. `socket` is non-blocking; `tls` is the stream over it when the port speaks TLS.
    `buffered` is what was read behind the head."""

    socket: socket.socket
    address: str
    tls: trio.SSLStream[trio.SocketStream] | None = None
    buffered: bytes = b""

    def receive(self) -> Awaitable[bytes]:
        """The next bytes, empty at the end. Raises OSError or one of trio's resource errors.

        It is no coroutine itself, as each one between a task and trio costs every wake-up of the task.
        """
        return self._receive_raw() if self.tls is None else self._receive_decrypted(self.tls)

    @staticmethod
    async def _receive_decrypted(tls: trio.SSLStream[trio.SocketStream]) -> bytes:
        return bytes(await tls.receive_some(READ_BYTES))

    async def _receive_raw(self) -> bytes:
        while True:
            await trio.lowlevel.wait_readable(self.socket)
            try:
                return self.socket.recv(READ_BYTES)
            except BlockingIOError:
                continue

    async def linger(self) -> None:
        """End our side and give the peer a moment to end its own.

        Closing with bytes unread would reset the connection, and take with it what the peer has not read yet.
        """
        with trio.move_on_after(LINGER_SECONDS), contextlib.suppress(OSError, trio.ClosedResourceError):
            self.socket.shutdown(socket.SHUT_WR)
            while await self._receive_raw():
                pass

    def stream(self) -> trio.SocketStream:
        """The plain connection as trio's stream."""
        return trio.SocketStream(trio.socket.from_stdlib_socket(self.socket))

    def close_now(self) -> None:
        """Close, whoever is sending or receiving; they get `trio.ClosedResourceError`."""
        if self.socket.fileno() != -1:
            trio.lowlevel.notify_closing(self.socket)
            self.socket.close()


_GONE = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)
"""What a peer that went away looks like; nothing worth a line in the log."""


class Handler(Protocol):
    """Takes a connection over; returns when it is done with it."""

    def __call__(self, connection: Connection, head: Head, /) -> Awaitable[None]: ...


class Listener:
    """Serves the sockets of one address. `stop_sessions` tells every client socket to resume elsewhen and
    returns when each has taken what was queued for it."""

    def __init__(
        self,
        config: Config,
        tls: ssl.SSLContext | None,
        on_socket: Handler,
        on_http: Handler,
        stop_sessions: Callable[[], Awaitable[None]],
    ) -> None:
        self._config = config
        self._tls = tls
        self._on_socket = on_socket
        self._on_http = on_http
        self._stop_sessions = stop_sessions
        self._connections: set[Connection] = set()
        self._per_address: Counter[str] = Counter()
        self._exhaustion_logged = False

    async def serve(
        self,
        listening: Sequence[socket.socket],
        stopping: trio.Event,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until `stopping` is set, then stop in order.

        To be shielded: a cancellation that reached the connections first would cut them off without a word.
        """
        async with trio.open_nursery() as connections:
            accepting = [(each, trio.CancelScope()) for each in listening]
            for each, scope in accepting:
                connections.start_soon(self._accept_forever, each, connections, scope)
            task_status.started()
            await stopping.wait()
            for each, scope in accepting:
                scope.cancel()
                trio.lowlevel.notify_closing(each)
                each.close()
            with trio.move_on_after(self._config.server.shutdown_seconds):
                await self._stop_sessions()
            for connection in list(self._connections):
                connection.close_now()  # also ends sends that are shielded from cancellation
            connections.cancel_scope.cancel()

    async def _accept_forever(self, listening: socket.socket, nursery: trio.Nursery, scope: trio.CancelScope) -> None:
        with scope:
            while True:
                await trio.lowlevel.wait_readable(listening)
                try:
                    accepted, (address, *_) = listening.accept()
                except OSError as error:
                    if error.errno in _OUT_OF_RESOURCES:
                        self._log_exhaustion(error)
                        await trio.sleep(0.1)
                    continue  # else the peer is gone already
                try:
                    self._take(accepted, str(address), nursery)
                except OSError:
                    accepted.close()

    def _log_exhaustion(self, error: OSError) -> None:
        if not self._exhaustion_logged:
            self._exhaustion_logged = True
            logger.error("cannot accept connections: %s; raise the limit of open files", error.strerror)

    def _take(self, accepted: socket.socket, address: str, nursery: trio.Nursery) -> None:
        accepted.setblocking(False)
        if self._is_full(address):
            accepted.send(refusal_response(503, "too many connections"))
            accepted.close()
            return
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        milliseconds = int(self._config.server.dead_peer_seconds * 1000)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        connection = Connection(accepted, address)
        self._connections.add(connection)
        self._per_address[client_key(address)] += 1
        nursery.start_soon(self._serve_connection, connection)

    def _is_full(self, address: str) -> bool:
        limits = self._config.limits
        if limits.connections and len(self._connections) >= limits.connections:
            return True
        return (
            bool(limits.connections_per_address)
            and self._per_address[client_key(address)] >= limits.connections_per_address
            and not is_among(address, self._config.server.trusted_proxies)
        )

    async def _serve_connection(self, connection: Connection) -> None:
        """The barrier: whatever goes wrong in here ends this connection and nothing else."""
        try:
            if found := await self._find_handler(connection):
                handler, head = found
                await handler(connection, head)
        except Exception as error:
            self._log_fault(connection, error)
        except BaseExceptionGroup as group:
            faults, rest = group.split(Exception)
            if faults is not None:
                self._log_fault(connection, faults)
            if rest is not None:
                raise rest from None  # cancellation, KeyboardInterrupt and the like are not the connection's
        finally:
            connection.close_now()
            self._connections.discard(connection)
            client = client_key(connection.address)
            self._per_address[client] -= 1
            if not self._per_address[client]:
                del self._per_address[client]

    def _log_fault(self, connection: Connection, error: Exception) -> None:
        if isinstance(error, ExceptionGroup):
            _, error_or_none = cast("ExceptionGroup[Exception]", error).split(_GONE)
        else:
            error_or_none = None if isinstance(error, _GONE) else error
        if error_or_none is not None:
            logger.warning("a connection from %s failed: %s", connection.address, kinds_of(error_or_none))

    async def _find_handler(self, connection: Connection) -> tuple[Handler, Head] | None:
        """Who takes the connection over; None when it has ended already."""
        limits = self._config.limits
        head = None
        try:
            with trio.move_on_after(limits.head_seconds or inf):
                if self._tls is not None:
                    connection.tls = trio.SSLStream(
                        connection.stream(), self._tls, server_side=True, https_compatible=True
                    )
                    await connection.tls.do_handshake()
                head = await self._read_head(connection)
                if head is None:
                    return None
            if head is None:
                raise BadHead(408, f"the request's head took longer than {limits.head_seconds:g} s")
        except BadHead as error:
            await self._refuse(connection, error)
            return None
        return (self._on_socket if head.path == SOCKET_PATH and head.wants_websocket else self._on_http), head

    async def _read_head(self, connection: Connection) -> Head | None:
        """None when the peer closes before it has said anything."""
        most = self._config.limits.head_bytes or 2**30
        data = bytearray()
        searched = 0
        while (end := end_of_head(data, searched)) < 0:
            if len(data) > most:
                raise BadHead(431, f"the request's head is larger than {most} bytes")
            searched = len(data)
            chunk = await connection.receive()
            if not chunk:
                return None
            data += chunk
        if end > most:
            raise BadHead(431, f"the request's head is larger than {most} bytes")
        connection.buffered = bytes(data[end:])
        return parse_head(bytes(data[:end]))

    @staticmethod
    async def _refuse(connection: Connection, error: BadHead) -> None:
        response = refusal_response(error.status, error.reason)
        if connection.tls is not None:
            with trio.move_on_after(LINGER_SECONDS):
                await connection.tls.send_all(response)
        else:
            connection.socket.send(response)
        await connection.linger()


_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""A machine without IPv6, or without an interface that the name also stands for."""
_TRIES = 20


def listen(bind: Bind) -> list[socket.socket]:
    """Listening sockets, all with the same port: one for each address of the host, of both families if it has both.

    Raises `StartError` when an address cannot be had.
    """
    tries = 1 if bind.port else _TRIES  # the port that was picked for one family may be taken in the other
    while True:
        tries -= 1
        try:
            return _listen_on(_addresses(bind), bind.port)
        except OSError as error:
            if not tries or error.errno != errno.EADDRINUSE:
                raise StartError(f"cannot listen on {bind}: {error.strerror or error}") from None


def _addresses(bind: Bind) -> list[tuple[socket.AddressFamily, str]]:
    host = None if bind.host == ANY else bind.host
    found = socket.getaddrinfo(host, bind.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _listen_on(addresses: list[tuple[socket.AddressFamily, str]], port: int) -> list[socket.socket]:
    listening: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, address in addresses:
            try:
                each = socket.create_server((address, port), family=family, backlog=_BACKLOG)
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                missing = error
                continue
            each.setblocking(False)
            listening.append(each)
            port = each.getsockname()[1]
    except OSError:
        for each in listening:
            each.close()
        raise
    if missing is not None and not listening:
        raise missing
    return listening
