"""Connections that wait for another request to the same origin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from chatnode.addresses import IPAddress

if TYPE_CHECKING:
    from chatnode.outbound.connect import OutboundConnection

SWEEP_SECONDS = 5.0
"""How often those that have expired are closed, while there are any."""


class IdleConnections:
    """Each stays with the address that it was made for, whatever the origin's name means by now."""

    def __init__(self) -> None:
        self._idle: list[OutboundConnection] = []
        self._sweeping: trio.CancelScope | None = None

    def __len__(self) -> int:
        return len(self._idle)

    def address(self, origin: str) -> IPAddress | None:
        """The address of a usable connection to the origin; None if there is none."""
        connection = self._find(origin)
        return connection.address if connection is not None else None

    def reuse(self, origin: str, address: IPAddress) -> OutboundConnection | None:
        """A usable connection to the origin at this address, if there is one; the last that was used."""
        connection = self._find(origin, address)
        if connection is not None:
            self._idle.remove(connection)
        return connection

    def keep(self, connection: OutboundConnection) -> None:
        """Keep a connection for a few seconds."""
        self._idle.append(connection)
        if self._sweeping is None:
            self._sweeping = trio.CancelScope()
            trio.lowlevel.spawn_system_task(self._sweep, self._sweeping, name="outbound connections")

    def shrink(self, most: int) -> None:
        """Close the oldest ones above a number."""
        while self._idle and len(self._idle) > most:
            self._idle.pop(0).close()

    def close(self) -> None:
        """Close all of them."""
        self.shrink(0)
        if self._sweeping is not None:
            self._sweeping.cancel()

    def _find(self, origin: str, address: IPAddress | None = None) -> OutboundConnection | None:
        for connection in reversed(self._idle.copy()):
            if connection.origin == origin and address in (None, connection.address):
                if connection.reusable:
                    return connection
                self._drop(connection)
        return None

    def _drop(self, connection: OutboundConnection) -> None:
        self._idle.remove(connection)
        connection.close()

    async def _sweep(self, scope: trio.CancelScope) -> None:
        with scope:
            while self._idle:
                await trio.sleep(SWEEP_SECONDS)
                for connection in self._idle.copy():
                    if not connection.reusable:
                        self._drop(connection)
        if self._sweeping is scope:
            self._sweeping = None
