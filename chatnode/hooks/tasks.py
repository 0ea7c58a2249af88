"""The continuous tasks of plugins, each under its supervisor."""

from __future__ import annotations

from functools import partial

import trio

from chatnode.hooks.manager import Manager
from chatnode.hooks.supervisor import Supervised
from chatnode.model.plugins import TaskStatus


class Tasks:
    """Created when the node is open; the tasks run while `run` runs."""

    def __init__(self, plugins: Manager) -> None:
        self._all = [
            Supervised(
                loaded.plugin.name, task.name, partial(task.run, loaded.context),
                partial(plugins.report, loaded.plugin.name, f"task {task.name}"),
            )
            for loaded in plugins
            for task in loaded.plugin.tasks
            if task.every is None
        ]  # fmt: skip

    async def run(self) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as nursery:
            for each in self._all:
                nursery.start_soon(each.keep_running)

    def statuses(self) -> list[TaskStatus]:
        """The status of each task."""
        return [each.status() for each in self._all]
