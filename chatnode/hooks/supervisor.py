"""What runs on and on beside the requests: started again when it ends, with pauses that grow, and seen to by name."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import trio

from chatnode.hooks.guard import FAILURES, said
from chatnode.model.plugins import TaskStatus

FIRST_SECONDS = 0.25
MOST_SECONDS = 60.0
STEADY_SECONDS = 30.0
"""What ran for so long ran well: the pauses begin anew."""


class Backoff:
    """Doubling waits, each between half and all of its length, so that not all that failed together tries together."""

    def __init__(self) -> None:
        self._tries = 0

    def reset(self) -> None:
        self._tries = 0

    def next_wait(self) -> float:
        """Seconds to wait now."""
        longest = min(MOST_SECONDS, FIRST_SECONDS * 2.0 ** min(self._tries, 20))
        self._tries += 1
        return longest * random.uniform(0.5, 1.0)


async def behind_barrier(
    run: Callable[[], Awaitable[object]], failed: Callable[[BaseException], None] = lambda error: None
) -> BaseException | None:
    """Run to the end; gives what it raised, after `failed` was told of it.

    Cancellation is let through, also out of a group in which something else was raised beside it: only `failed` is
    told of that.
    """
    try:
        await run()
    except BaseExceptionGroup as group:
        failures, rest = group.split(FAILURES)
        if failures is not None:
            failed(failures)
        if rest is not None:
            raise rest from None
        return failures
    except FAILURES as error:
        failed(error)
        return error
    return None


class Supervised:
    """A function of a plugin's that is kept running. `restarts` counts how often it was started anew."""

    def __init__(
        self, plugin: str, name: str, run: Callable[[], Awaitable[object]], report: Callable[[str, BaseException], None]
    ):
        self.plugin = plugin
        self.name = name
        self._run = run
        self._report = report
        self.restarts = 0
        self.failures = 0
        self.last_failure: str | None = None
        self.running = False

    async def keep_running(self) -> None:
        """Until cancelled."""
        backoff = Backoff()
        while True:
            began = trio.current_time()
            self.running = True
            try:
                await behind_barrier(self._run, self._failed)
            finally:
                self.running = False
            if trio.current_time() - began >= STEADY_SECONDS:
                backoff.reset()
            await trio.sleep(backoff.next_wait())
            self.restarts += 1

    def _failed(self, error: BaseException) -> None:
        self.failures += 1
        self.last_failure = said(error)
        self._report(self.last_failure, error)

    def status(self) -> TaskStatus:
        return TaskStatus(self.plugin, self.name, self.running, self.restarts, self.failures, self.last_failure)
