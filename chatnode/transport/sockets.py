"""All client sockets of a node."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from math import inf
from typing import Any, Protocol

import trio
from websockets.frames import CloseCode

from chatnode.dispatch.core import Core
from chatnode.dispatch.table import CommandTable
from chatnode.routing.sessions import SessionRegistry
from chatnode.services import COMMANDS
from chatnode.transport.asgi_socket import AsgiCarrier, AsgiSocket
from chatnode.transport.carrier import Carrier
from chatnode.transport.close_codes import STOP_SIGNED_OUT
from chatnode.transport.connection import Connection
from chatnode.transport.dialogue import Dialogue
from chatnode.transport.exchange import Receive, Send
from chatnode.transport.head import Head
from chatnode.transport.hub import Hub
from chatnode.transport.origins import Credentials
from chatnode.transport.requests import SocketBackend
from chatnode.transport.socket import ClientSocket

WATCH_SECONDS = 1.0


class _Carried(Protocol):
    """A client socket with its carrier, whatever kind they are."""

    @property
    def socket(self) -> Dialogue: ...

    def stop(self) -> None: ...


class ClientSockets:
    """Makes the client sockets, checks that they are alive, stops them. Their tasks and the hub's run in `nursery`."""

    kind: type[ClientSocket] = ClientSocket

    def __init__(self, core: Core, table: CommandTable, registry: SessionRegistry, nursery: trio.Nursery) -> None:
        ours = {each.name for each in COMMANDS}
        repeatable = sorted(each.name for each in table if each.repeatable and each.name not in ours)
        self._backend = SocketBackend(core, table, registry, nursery.start_soon, repeatable, core.config.limits)
        self._nursery = nursery
        self._carriers: set[_Carried] = set()
        self.hub = Hub(core.db)
        self.stopping = False
        nursery.start_soon(self.hub.run)

    def start(self, run: Callable[[], Awaitable[object]], /) -> None:
        self._nursery.start_soon(run)

    def forget(self, carrier: Carrier) -> None:
        self._carriers.discard(carrier)

    async def serve(self, connection: Connection, head: Head) -> bool:
        """A handler of the listener. Returns False: the connection takes no other request after this one."""
        credentials = Credentials.of_upgrade(head, connection, self._backend.core)
        carrier = Carrier(self, connection, partial(self.kind, self._backend, credentials))
        self._carriers.add(carrier)
        running = carrier.run(head)
        del head, credentials  # not kept for as long as the socket lives
        try:
            await running
        finally:
            if not connection.kept:
                self.forget(carrier)
        return False

    async def serve_mounted(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve a client socket of a program that the node is mounted in, until its end."""
        if self.stopping:
            await send({"type": "websocket.close", "code": CloseCode.TRY_AGAIN_LATER})
            return
        credentials = Credentials.of_scope(scope, self._backend.core)
        carrier = AsgiCarrier(lambda carrier: AsgiSocket(self._backend, credentials, receive, send, carrier))
        self._carriers.add(carrier)
        try:
            await carrier.run()
        finally:
            self._carriers.discard(carrier)

    async def watch(self) -> None:
        """Run forever: ping silent clients, and close dead connections and those whose token has expired."""
        idle = self._backend.core.config.limits.idle_seconds or inf
        while True:
            await trio.sleep(min(idle / 5, WATCH_SECONDS))
            now = trio.current_time()
            for carrier in list(self._carriers):
                socket = carrier.socket
                socket.check_alive(now, idle)
                if socket.session is not None and socket.session.expired:
                    socket.close(STOP_SIGNED_OUT, "the token has expired")

    def close(self) -> None:
        """Tell every client to resume later, including clients that say hello from now on."""
        self.stopping = True
        for carrier in list(self._carriers):
            carrier.stop()

    async def wait_drained(self) -> None:
        """Returns once each client has taken what was queued for it."""
        for carrier in list(self._carriers):
            await carrier.socket.outbox.wait_empty()
