"""How the plugin's functions wake its tasks."""

from __future__ import annotations

from collections import defaultdict

import trio


class Wakes:
    """A signal for each task that waits, by the task's name.

    A signal that is given while the task works is kept until it waits. Use it on the trio thread.
    """

    def __init__(self) -> None:
        self._events: defaultdict[str, trio.Event] = defaultdict(trio.Event)

    def wake(self, task: str) -> None:
        """Let a task look for work soon. The task sees what is committed, so give the signal after the write; before
        it, as a consumer must, the task looks again a little later (`wait`)."""
        self._events[task].set()

    async def wait(self, task: str, seconds: float) -> bool:
        """Until the task is woken, at most for `seconds`; returns whether it was."""
        with trio.move_on_after(seconds):
            await self._events[task].wait()
        return self._events.pop(task, trio.Event()).is_set()
