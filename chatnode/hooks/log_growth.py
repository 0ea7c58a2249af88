"""Lets tasks of plugins wait until the log has something new for them."""

from __future__ import annotations

from collections.abc import Set

import trio


class LogGrowth:
    """One per node. A commit costs next to nothing while no task waits."""

    def __init__(self) -> None:
        self._head = 0
        self._waiting: dict[trio.Event, frozenset[str] | None] = {}

    def committed(self, kinds: Set[str], head: int) -> None:
        """Wake the tasks that wait for events of these kinds; `head` is the last gid. Part of the commit listener:
        never raises or blocks."""
        self._head = head
        for event, wanted in self._waiting.items():
            if wanted is None or not wanted.isdisjoint(kinds):
                event.set()

    async def wait(self, after: int, kinds: Set[str] | None) -> None:
        """Until events of these kinds, or any, were committed with gids above `after`; it may return before."""
        if self._head > after:  # of whichever kind: the caller has not looked at it
            await trio.lowlevel.checkpoint()
            return
        event = trio.Event()
        self._waiting[event] = None if kinds is None else frozenset(kinds)
        try:
            await event.wait()
        finally:
            del self._waiting[event]
