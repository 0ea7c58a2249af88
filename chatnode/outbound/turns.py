"""How many requests run at a time: to one address, for one purpose, and in all."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import trio

from chatnode.outbound.errors import Paused
from chatnode.outbound.purpose import Purpose
from chatnode.outbound.shares import SharedTurns


class RequestTurns:
    """Requests wait here before they are sent; their time begins after that."""

    def __init__(self, in_all: int, per_address: int) -> None:
        self._per_address = per_address
        self._all = trio.CapacityLimiter(in_all)
        self._share = max(1, in_all // 2)
        self._purposes: dict[tuple[str, int], trio.CapacityLimiter] = {}
        self._addresses: dict[tuple[str, str], SharedTurns] = {}

    @property
    def running(self) -> int:
        """How many requests have their turn."""
        return int(self._all.borrowed_tokens)

    @asynccontextmanager
    async def turn(self, purpose: Purpose, address: str, origin: str) -> AsyncGenerator[None]:
        """A turn; raises `Paused` if none comes within the time that a request may take.

        The address comes first: requests to a slow one wait for each other, and leave the purpose's turns to others.
        Origins that share an address share its turns. No purpose gets more than half of all turns: users choose where
        requests go, and slow receivers of one kind must not hold up those of others.
        """
        key = (purpose.name, address)
        at_address = self._addresses.setdefault(key, SharedTurns(self._per_address))
        share = min(purpose.at_a_time, self._share)
        of_purpose = self._purposes.setdefault((purpose.name, share), trio.CapacityLimiter(share))
        try:
            async with AsyncExitStack() as turns:
                with trio.move_on_after(purpose.seconds) as waiting:
                    await turns.enter_async_context(at_address.turn(origin))
                    for limiter in (of_purpose, self._all):
                        await turns.enter_async_context(limiter)
                if waiting.cancelled_caught:
                    raise Paused(f"{origin} has too many requests waiting for it", purpose.seconds)
                yield
        finally:
            if at_address.idle:
                self._addresses.pop(key, None)


class TimeLeft:
    """The time of a request, which stands still while it waits for its turn."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    @contextmanager
    def spend(self) -> Generator[None]:
        """A block that takes from it; raises `trio.TooSlowError` when all is spent."""
        began = trio.current_time()
        try:
            with trio.fail_after(max(self.seconds, 0.0)):
                yield
        finally:
            self.seconds -= trio.current_time() - began
