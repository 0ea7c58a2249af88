"""Supervised background tasks, restarted with exponential backoff."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from chatnode.concurrency import Backoff, behind_barrier
from chatnode.hooks.guard import describe_error
from chatnode.model.plugins import TaskStatus


class Supervised:
    """A plugin's function that is kept running. `restarts` counts its restarts."""

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
        """Run until cancelled."""
        backoff = Backoff()
        while True:
            backoff.running()
            self.running = True
            try:
                await behind_barrier(self._run, self._failed)
            finally:
                self.running = False
            await trio.sleep(backoff.next_wait())
            self.restarts += 1

    def _failed(self, error: BaseException) -> None:
        self.failures += 1
        self.last_failure = describe_error(error)
        self._report(self.last_failure, error)

    def status(self) -> TaskStatus:
        return TaskStatus(self.plugin, self.name, self.running, self.restarts, self.failures, self.last_failure)
