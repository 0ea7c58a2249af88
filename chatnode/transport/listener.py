"""The listener: accepts connections, reads the head of each request, and hands the request on.

An upgrade at `/v1/socket` takes the connection to the client socket; every other request is answered by HTTP, and the
connection comes back for the next one. What is promised:

- Whatever a peer sends, only its own connection ends: each has a barrier of its own, from when it is accepted.
- Every request of a connection is read by the same rules (`head.py`), the first and the hundredth.
- Connections are limited in all and per address; heads in size and in time; idle ones in time.
- A peer that acknowledges nothing is dropped by the kernel (TCP_USER_TIMEOUT), also while a send to it is shielded.
- Stopping takes its time limit and no more: accepting stops at once, sessions are told to resume and get to
  take what is queued, and then every socket is closed by force.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Sequence
from math import inf
from typing import Protocol

import trio

from chatnode.addresses import ANY, Bind, client_key, is_among
from chatnode.config import Config
from chatnode.dispatch.core import base_path_of
from chatnode.errors import StartError
from chatnode.logs import get_logger
from chatnode.transport.connection import LINGER_SECONDS, Connection, log_fault
from chatnode.transport.head import BadRequest, Head, end_of_head, parse_head, refusal_response
from chatnode.transport.tls import PortTls

logger = get_logger("listener")

SOCKET_PATH = b"/v1/socket"
_BACKLOG = 2_048
_TLS_HANDSHAKE = b"\x16"
_NO_TLS = bytes.fromhex("15 0301 0002 02 46")
"""A TLS record: the fatal alert protocol_version."""
_FAULTS = (Exception, SystemExit)
"""What ends one connection. Not `behind_barrier`: every coroutine in between makes each wake-up of the task slower."""
_OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Handler(Protocol):
    """Answers a request; returns whether the connection can take a further one. One that is `kept` is left alone: it
    is ended by what keeps it."""

    def __call__(self, connection: Connection, head: Head, /) -> Awaitable[bool]: ...


class Listener:
    """Serves the sockets of one address. `stop_sessions` tells every client socket to resume later and returns when
    each has received what was queued for it."""

    def __init__(
        self,
        config: Config,
        tls: PortTls | None,
        on_socket: Handler,
        on_http: Handler,
        stop_sessions: Callable[[], Awaitable[None]],
    ) -> None:
        self._config = config
        self._base = base_path_of(config.server).encode()
        self._tls = tls
        self._on_socket = on_socket
        self._on_http = on_http
        self._stop_sessions = stop_sessions
        self._connections: set[Connection] = set()
        self._per_address: Counter[str] = Counter()
        self._exhaustion_logged = False
        self._tls_at_plain_port_logged = False
        self._stopping = False
        self._forget = self._uncount  # bound once for all connections
        self._waiting: set[trio.CancelScope] = set()
        """Around each wait for a request."""

    async def serve(
        self,
        listening: Sequence[socket.socket],
        stopping: trio.Event,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until `stopping` is set, then stop in order.

        To be shielded: a cancellation that reached the connections first would cut them off without a close frame.
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
            self._stopping = True
            for scope in self._waiting:
                scope.cancel()
            with trio.move_on_after(self._config.server.shutdown_seconds):
                await self._stop_sessions()
            for connection in list(self._connections):
                connection.close_now()  # also ends sends that are shielded from cancellation
            connections.cancel_scope.cancel()

    async def _accept_forever(self, listening: socket.socket, nursery: trio.Nursery, scope: trio.CancelScope) -> None:
        with scope:
            while listening.fileno() != -1:  # closed since a connection woke this task: there is no wait to cancel
                await trio.lowlevel.wait_readable(listening)
                try:
                    accepted, (address, port, *_) = listening.accept()
                except OSError as error:
                    if error.errno in _OUT_OF_RESOURCES:
                        self._log_exhaustion(error)
                        await trio.sleep(0.1)
                    continue  # else the peer is gone already
                try:
                    self._take(accepted, str(address), int(port), nursery)
                except _FAULTS as error:
                    accepted.close()
                    log_fault(str(address), error)

    def _log_exhaustion(self, error: OSError) -> None:
        if not self._exhaustion_logged:
            self._exhaustion_logged = True
            logger.error("cannot accept connections: %s; raise the limit of open files", error.strerror)

    def _take(self, accepted: socket.socket, address: str, port: int, nursery: trio.Nursery) -> None:
        accepted.setblocking(False)
        if self._is_full(address):
            accepted.send(refusal_response(503, "too many connections"))
            accepted.close()
            return
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        milliseconds = int(self._config.server.dead_peer_seconds * 1000)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        connection = Connection(accepted, address, port, self._forget)
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
            await self._serve_requests(connection)
        except _FAULTS as error:
            connection.log_fault(error)
        except BaseExceptionGroup as group:
            faults, rest = group.split(_FAULTS)
            if faults is not None:
                connection.log_fault(faults)
            if rest is not None:
                raise rest from None  # cancellation, KeyboardInterrupt and the like are not the connection's
        finally:
            if not connection.kept:
                await connection.end()

    def _uncount(self, connection: Connection) -> None:
        self._connections.discard(connection)
        client = client_key(connection.address)
        self._per_address[client] -= 1
        if not self._per_address[client]:
            del self._per_address[client]

    async def _serve_requests(self, connection: Connection) -> None:
        """One request after the other, until one of them ends the connection."""
        patience = self._config.limits.head_seconds
        while head := await self._next_head(connection, patience):
            to_socket = head.path == SOCKET_PATH and head.wants_websocket
            handler = self._on_socket if to_socket else self._on_http
            serving = handler(connection, head)
            del head  # a socket may stay for weeks, and so would its head
            if not await serving:
                return
            patience = self._config.limits.keep_alive_seconds

    async def _next_head(self, connection: Connection, patience: float) -> Head | None:
        """The next request's head, whose first byte comes within `patience` seconds. None when there is none to come,
        or the client was told why it is not taken."""
        limits = self._config.limits
        try:
            with self._wait(patience):
                await self._receive_first(connection)
            if not connection.buffered:
                return None  # closed, or idle for too long: nothing to be told
            with self._wait(limits.head_seconds):
                return await self._read_head(connection)
            if not self._stopping:
                raise BadRequest(408, f"the request's head took longer than {limits.head_seconds:g} s")
        except BadRequest as error:
            with trio.move_on_after(LINGER_SECONDS):
                await connection.send_all(refusal_response(error.status, error.reason))
        return None

    @contextlib.contextmanager
    def _wait(self, seconds: float) -> Generator[None]:
        """A wait for a client's request: ends after `seconds`, 0 being no limit, and when the node stops."""
        with trio.CancelScope(deadline=trio.current_time() + (seconds or inf)) as scope:
            self._waiting.add(scope)
            if self._stopping:
                scope.cancel()
            try:
                yield
            finally:
                self._waiting.discard(scope)

    async def _receive_first(self, connection: Connection) -> None:
        """Something of the next request, unless it is there already; nothing when the client closes."""
        if self._tls is not None and connection.tls is None:
            if not _is_tls(await connection.peek()):
                raise BadRequest(400, "this port uses TLS; use https:// or wss://")
            if not await self._tls.begin(connection):
                return
        if not connection.buffered:
            connection.buffered = await connection.receive()
        if connection.tls is None and _is_tls(connection.buffered[:1]) and connection.buffered:
            connection.buffered = b""
            await connection.send_all(_NO_TLS)
            self._log_tls_at_plain_port(connection)

    def _log_tls_at_plain_port(self, connection: Connection) -> None:
        if not self._tls_at_plain_port_logged:
            self._tls_at_plain_port_logged = True
            logger.warning(
                "a client at %s tried TLS, but this port is plain; use http://, or set server.tls_certificate",
                connection.address,
            )

    async def _read_head(self, connection: Connection) -> Head | None:
        """None when the client closes in the middle of it."""
        most = self._config.limits.head_bytes or 2**30
        data, connection.buffered = bytearray(connection.buffered), b""
        if data.startswith(b"\r"):
            data = await self._skip_empty_line(connection, data)
        searched = 0
        while (end := end_of_head(data, searched)) < 0:
            if len(data) > most:
                break
            searched = len(data)
            chunk = await connection.receive()
            if not chunk:
                return None
            data += chunk
        if end < 0 or end > most:
            raise BadRequest(431, f"the request's head is larger than {most} bytes")
        connection.buffered = bytes(data[end:])
        head = parse_head(bytes(data[:end]))
        return head.below(self._base) if self._base else head

    @staticmethod
    async def _skip_empty_line(connection: Connection, data: bytearray) -> bytearray:
        """Some clients send one behind a body (RFC 9112, section 2.2)."""
        while len(data) < 2 and (chunk := await connection.receive()):
            data += chunk
        return data[2:] if data.startswith(b"\r\n") else data


def _is_tls(first: bytes) -> bool:
    """Whether a client's first byte begins a TLS record. An end is left to TLS."""
    return first in (_TLS_HANDSHAKE, b"")


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
            in_use = error.errno == errno.EADDRINUSE
            if not tries or not in_use:
                fix = "; stop what uses it, or choose another with --bind or server.bind" if in_use else ""
                raise StartError(f"cannot listen on {bind}: {error.strerror or error}{fix}") from None


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
