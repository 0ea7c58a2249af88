"""Measures for how long plugins hold the node's thread: no one else is served between two `await`s of a plugin.

Only functions of plugins are measured, and among them what the node calls itself: not tasks that they start in
nurseries of their own, nor functions that run in threads of the database, which have other limits (`guard.py`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial, wraps
from time import perf_counter
from typing import Any, TypeVar

import attrs

from chatnode.dispatch.table import Command
from chatnode.hooks.plugin import Consumer, Metric, Page, Plugin, Task
from chatnode.hooks.routes import Route
from chatnode.hooks.slash import Slash
from chatnode.hooks.steps import in_steps
from chatnode.hooks.work import WorkKind

Function = TypeVar("Function", bound=Callable[..., Any] | None)


class HeldThread:
    """`report` is called with the plugin, the function and the seconds when one holds the thread for longer than
    `most`."""

    def __init__(
        self, most: float, report: Callable[[str, str, float], None], clock: Callable[[], float] = perf_counter
    ) -> None:
        self._most = most
        self._report = report
        self._clock = clock
        self._reported = 0.0
        """Seconds in all, so that a function is not blamed for one that it called by way of the node."""

    def measured(self, function: Callable[..., Awaitable[Any]], plugin: str, hook: str) -> Callable[..., Any]:
        """The async function, each of whose steps is measured."""

        @wraps(function)
        async def run(*arguments: Any, **named: Any) -> Any:
            return await in_steps(function(*arguments, **named), partial(self._take_step, plugin, hook))

        return run

    def _take_step(self, plugin: str, hook: str, go_on: Callable[[], Any], throw: object) -> Any:
        reported, began = self._reported, self._clock()
        try:
            return go_on()
        finally:
            held = self._clock() - began - (self._reported - reported)
            if held > self._most:
                self._reported += held
                self._report(plugin, hook, held)

    def all_measured(self, plugin: Plugin) -> Plugin:
        """The plugin, with measured functions."""

        def of(function: Function, hook: str) -> Function:
            return self.measured(function, plugin.name, hook) if function is not None else function  # pyright: ignore[reportReturnType]

        def command(each: Command[Any, Any]) -> Command[Any, Any]:
            hook = f"command {each.name}"
            return attrs.evolve(each, handler=of(each.handler, hook), earlier=of(each.earlier, hook))

        def consumer(each: Consumer) -> Consumer:
            return attrs.evolve(each, consume=of(each.consume, f"consumer {each.name}"))

        def task(each: Task) -> Task:
            return attrs.evolve(each, run=of(each.run, f"task {each.name}"))

        def work(each: WorkKind) -> WorkKind:
            return attrs.evolve(each, run=of(each.run, f"work {each.name}"))

        def slash(each: Slash) -> Slash:
            return attrs.evolve(each, handler=of(each.handler, f"slash /{each.name}"))

        def route(each: Route) -> Route:
            return attrs.evolve(each, handler=of(each.handler, f"route {each.rule}"))

        def page(each: Page) -> Page:
            hook = f"page {each.path!r}"
            return attrs.evolve(each, render=of(each.render, hook), submit=of(each.submit, hook))

        def metric(each: Metric) -> Metric:
            return attrs.evolve(each, value=of(each.value, f"metric {each.name}"))

        return attrs.evolve(
            plugin,
            commands=tuple(map(command, plugin.commands)),
            consumers=tuple(map(consumer, plugin.consumers)),
            tasks=tuple(map(task, plugin.tasks)),
            works=tuple(map(work, plugin.works)),
            slash=tuple(map(slash, plugin.slash)),
            routes=tuple(map(route, plugin.routes)),
            pages=tuple(map(page, plugin.pages)),
            metrics=tuple(map(metric, plugin.metrics)),
            health=of(plugin.health, "health"),
            repair=of(plugin.repair, "repair"),
            after_removal=of(plugin.after_removal, "after_removal"),
        )
