"""The continuous tasks of plugins, each under its supervisor."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import trio

from chatnode.hooks.manager import Loaded, Manager
from chatnode.hooks.plugin import Task
from chatnode.hooks.supervisor import Supervised
from chatnode.hooks.unwilling import Stop, run_cancellable
from chatnode.model.plugins import TaskStatus


class Tasks:
    """Created when the node is open; the tasks run while `run` runs."""

    def __init__(self, plugins: Manager) -> None:
        self._stop = Stop()
        self._all = [
            self._supervised(loaded, task, partial(plugins.report, loaded.plugin.name, f"task {task.name}"))
            for loaded in plugins
            for task in loaded.plugin.tasks
            if task.every is None
        ]

    def _supervised(self, loaded: Loaded, task: Task, report: Callable[..., None]) -> Supervised:
        run = partial(run_cancellable, partial(task.run, loaded.context), self._stop.was_called, report)
        return Supervised(loaded.plugin.name, task.name, run, report)

    async def run(self) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as nursery:
            for each in self._all:
                nursery.start_soon(each.keep_running)
            await self._stop.wait()

    def statuses(self) -> list[TaskStatus]:
        """The status of each task."""
        return [each.status() for each in self._all]
