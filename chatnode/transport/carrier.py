"""What carries a client socket: its state, and what reads its bytes.

The task that accepted the connection does the upgrade and hello. After that the hub reads a plain connection, and an
idle session has no task: one is started for a request that cannot be answered at once, and to end the connection. A
connection with TLS keeps its task. What is promised:

- Requests take effect in the order in which they came: a task begins once all writes before it are answered, and the
  hub reads on once it has ended.
- A fault in here ends this connection and no other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import Protocol

import trio
from websockets.frames import CloseCode

from chatnode.concurrency import behind_barrier
from chatnode.transport.connection import READ_BYTES, Connection
from chatnode.transport.head import Head
from chatnode.transport.hub import Hub
from chatnode.transport.socket import ClientSocket


class SocketState(Enum):
    """A plain connection goes from `OPENING` to `LISTENING`, `WAITING`, `WORKING` and back to `LISTENING`; any state
    may be followed by `ENDED`. The state alone says who has the socket; what waits and what is on its way is known to
    the session's requests (`backlog`, `in_flight`)."""

    OPENING = auto()
    """The task that accepted the connection does the upgrade and hello. With TLS, this lasts until the end."""
    LISTENING = auto()
    """The hub reads. Requests that were begun without a task may be on their way."""
    WAITING = auto()
    """Something needs a task, which begins once those are answered."""
    WORKING = auto()
    """A task works on the backlog."""
    ENDED = auto()
    """Nothing more is read or begun."""


class Owner(Protocol):
    """What all carriers share."""

    hub: Hub
    stopping: bool

    def start(self, run: Callable[[], Awaitable[object]], /) -> None:
        """Run a task that may outlive the connection's own."""
        ...

    def forget(self, carrier: Carrier) -> None:
        """The connection is closed."""
        ...


class Carrier:
    """Carries `socket` over `connection`, from the upgrade to the end."""

    __slots__ = ("_connection", "_owner", "_requests", "_scope", "_state", "socket")

    def __init__(
        self, owner: Owner, connection: Connection, make: Callable[[Connection, Carrier], ClientSocket]
    ) -> None:
        self._owner = owner
        self._connection = connection
        self._state = SocketState.OPENING
        self._scope: trio.CancelScope | None = trio.CancelScope()
        """Around the task that has the socket now."""
        self.socket = make(connection, self)
        self._requests = self.socket.requests

    async def run(self, head: Head) -> None:
        """Upgrade, and serve until hello; with TLS, until either side closes. After hello a plain connection is `kept`,
        and served by the hub."""
        scope = self._scope
        assert scope is not None
        goes_on = False
        try:
            with scope:
                opening = self.socket.open(head)
                del head  # it would stay for as long as a connection with TLS
                goes_on = await opening
                if goes_on and self._connection.tls is not None:
                    await self.socket.serve()
                    goes_on = False
        finally:
            if goes_on and self._owner.stopping:
                self.stop()
            if goes_on and not scope.cancel_called:
                self._connection.kept = True
                self._listen()
            else:
                self._state = SocketState.ENDED
                await self.socket.drain()

    # ---- called by the hub, and by the socket

    def on_readable(self, now: float) -> None:
        if self._state is not SocketState.LISTENING or self._requests.full:
            self._connection.unwatch()  # not earlier: nearly always there is room again before more bytes come
            return
        try:
            data = self._connection.socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""  # the peer reset it
        self.socket.receive(data, now)
        self.advance()

    def advance(self) -> None:
        """Something was received or answered, or needs a task: read on, or start the task."""
        if self._state is SocketState.LISTENING:
            if self._requests.backlog is None:
                if self._connection.hub is None and not self._requests.full:
                    self._connection.watch(self._owner.hub, self)
                return
            self._state = SocketState.WAITING
        if self._state is SocketState.WAITING and not self._requests.in_flight:
            self._state = SocketState.WORKING
            self._scope = trio.CancelScope()
            self._owner.start(self._work)

    async def _work(self) -> None:
        scope = self._scope
        assert scope is not None
        goes_on = False

        async def work() -> None:
            nonlocal goes_on
            with scope:
                goes_on = await self._requests.work_off() and await self.socket.take_rest()

        try:
            await behind_barrier(work, self._connection.log_fault)
        finally:
            if goes_on and not scope.cancel_called:
                self._listen()
            else:
                self._state = SocketState.ENDED
                self._connection.unwatch()
                await self._finish()

    def _listen(self) -> None:
        self._scope = None
        self._state = SocketState.LISTENING
        try:
            self.advance()
        except OSError as error:
            self.failed(error)

    # ---- the end

    def failed(self, error: Exception) -> None:
        self._connection.log_fault(error)
        self.end()

    def end(self) -> None:
        """Read and begin nothing more; close once everything queued is sent."""
        if self._scope is not None:
            self._scope.cancel()  # the task closes the connection
        elif self._state is not SocketState.ENDED:
            self._state = SocketState.ENDED
            self._connection.unwatch()
            self._owner.start(self._finish)

    def stop(self) -> None:
        """Tell the client to resume later, and end."""
        self.socket.close(CloseCode.GOING_AWAY, "the node is stopping; resume")

    async def _finish(self) -> None:
        await behind_barrier(self._close, self._connection.log_fault)

    async def _close(self) -> None:
        try:
            await self.socket.drain()
        finally:
            try:
                await self._connection.end()
            finally:
                self._owner.forget(self)
