"""Turns that several origins share, as where many hosts are behind one address."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs
import trio


@attrs.define(eq=False)
class _Waiting:
    granted: bool = False
    woken: trio.Event = attrs.field(factory=trio.Event)


class SharedTurns:
    """Up to `most` turns at a time. When one ends, the next goes to the origin that has the fewest of those that wait.

    So a slow origin gets all turns only while no other wants one. Among equals, the origin whose last turn is the
    longest ago comes first; within an origin, turns are given in the order of asking.
    """

    def __init__(self, most: int) -> None:
        self._free = most
        self._running = Counter[str]()
        self._waiting: dict[str, deque[_Waiting]] = {}

    @property
    def idle(self) -> bool:
        """Whether nobody has a turn or waits for one."""
        return not self._running and not self._waiting

    @property
    def waiting(self) -> int:
        """How many wait for a turn."""
        return sum(map(len, self._waiting.values()))

    @asynccontextmanager
    async def turn(self, origin: str) -> AsyncGenerator[None]:
        """A turn, for as long as the block runs."""
        if self._free:  # then nobody waits
            self._begin(origin)
        else:
            await self._wait(origin)
        try:
            yield
        finally:
            self._end(origin)

    async def _wait(self, origin: str) -> None:
        turn = _Waiting()
        self._waiting.setdefault(origin, deque()).append(turn)
        try:
            await turn.woken.wait()
        except BaseException:
            if turn.granted:
                self._end(origin)
            else:
                self._leave(origin, turn)
            raise

    def _begin(self, origin: str) -> None:
        self._free -= 1
        self._running[origin] += 1

    def _end(self, origin: str) -> None:
        self._free += 1
        self._running[origin] -= 1
        if not self._running[origin]:
            del self._running[origin]
        if self._waiting:
            self._grant(self._next())

    def _next(self) -> str:
        """One without a turn is found at once: of as many as there are turns, and one more, one has none."""
        idle = next((origin for origin in self._waiting if origin not in self._running), None)
        return idle if idle is not None else min(self._waiting, key=self._running.__getitem__)

    def _grant(self, origin: str) -> None:
        turns = self._waiting.pop(origin)
        turn = turns.popleft()
        if turns:
            self._waiting[origin] = turns  # at the end
        self._begin(origin)
        turn.granted = True
        turn.woken.set()

    def _leave(self, origin: str, turn: _Waiting) -> None:
        turns = self._waiting[origin]
        turns.remove(turn)
        if not turns:
            del self._waiting[origin]
