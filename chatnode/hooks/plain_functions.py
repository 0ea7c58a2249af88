"""Checks that a plugin declares plain functions where the node calls plain functions: an `async def` would not run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from chatnode.errors import StartError
from chatnode.hooks.guard import kind_of_function
from chatnode.hooks.plugin import Plugin


def check_plain(plugin: Plugin) -> None:
    """Raises `StartError`. `kind_of_function` is for the others, which the node awaits."""
    for what, function in (*_plain(plugin), *_listing(plugin)):
        if callable(function) and _is_awaited(function):
            raise StartError(f"{what} must be def, not async def")
    for what, function in _plain(plugin):
        if inspect.isgeneratorfunction(function):
            raise StartError(f"{what} must return its result, not yield it")
    if plugin.state is not None and not _opens(plugin.state):
        raise StartError("state must be decorated with contextlib.asynccontextmanager, and yield what it opened")


def _plain(plugin: Plugin) -> Iterator[tuple[str, Any]]:
    for kind in plugin.events:
        yield f"`make` of the event {kind.event.name}", kind.make
        yield f"`show` of the event {kind.event.name}", kind.show
    yield from ((f"`ended` of the work {each.name}", each.ended) for each in plugin.works)
    yield from ((f"`every` of the task {each.name}", each.every) for each in plugin.tasks)
    yield from ((f"`most_bytes` of the route {each.rule}", each.most_bytes) for each in plugin.routes)
    for step in plugin.steps:
        yield from ((f"the function {name} of the step {step.name}", each) for name, each in step.functions.items())
    yield "after_restore", plugin.after_restore


def _listing(plugin: Plugin) -> Iterator[tuple[str, Any]]:
    """Those that may be generators."""
    yield from ((f"`learn` of the collection {each.name}", each.learn) for each in plugin.collections)
    yield "check", plugin.check
    yield "stored_files", plugin.stored_files


def _is_awaited(function: Callable[..., Any]) -> bool:
    called = function if inspect.isroutine(function) else getattr(function, "__call__", function)  # noqa: B004
    if kind_of_function(function) == "async def":
        return True
    return inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called)


def _opens(state: Callable[..., Any]) -> bool:
    """Whether calling it may give an async context manager."""
    yields = inspect.isgeneratorfunction(inspect.unwrap(state))
    return not (inspect.iscoroutinefunction(state) or inspect.isasyncgenfunction(state) or yields)
