"""Plugins' states while a node is open: each `Plugin.state` has its own task, so that a failure does not affect others.

A state is shielded from cancellation: it ends when the node closes, within `plugins.start_seconds`, or when it fails;
then it is opened again.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from functools import partial
from math import inf
from typing import cast

import attrs
import trio

from chatnode.concurrency import Backoff, behind_barrier
from chatnode.dispatch.core import Core
from chatnode.errors import WrongKind
from chatnode.hooks.guard import describe_error
from chatnode.hooks.manager import Loaded, Manager


@attrs.define(eq=False)
class _Held:
    """The state of one plugin. `tried` is set once it is open, or has failed for the first time."""

    loaded: Loaded
    tried: trio.Event = attrs.field(factory=trio.Event)
    closing: trio.Event = attrs.field(factory=trio.Event)
    closed: trio.Event = attrs.field(factory=trio.Event)


class States:
    """The states of a node's plugins. They are opened in the order of the plugins, and closed in reverse."""

    def __init__(self, core: Core, plugins: Manager) -> None:
        self._core = core
        self._plugins = plugins
        self._seconds = core.config.plugins.start_seconds
        self._held: list[_Held] = []

    async def open(self, nursery: trio.Nursery) -> None:
        """Open all in `nursery`. One that fails is reported and opened again later: the node goes on without it."""
        for loaded in self._plugins:
            if loaded.plugin.state is not None:
                held = _Held(loaded)
                self._held.append(held)
                nursery.start_soon(self._keep_open, held)
                await held.tried.wait()

    async def close(self) -> None:
        """Exit all states. Not cancellable."""
        with trio.CancelScope(shield=True):
            for held in reversed(self._held):
                held.closing.set()
                await held.closed.wait()

    async def _keep_open(self, held: _Held) -> None:
        backoff = Backoff()
        report = partial(self._plugins.report, held.loaded.plugin.name, "state")
        with trio.CancelScope(shield=True):
            while not held.closing.is_set():
                await behind_barrier(partial(self._open, held), lambda error: report(describe_error(error)))
                held.tried.set()
                with trio.move_on_after(backoff.next_wait()):
                    await held.closing.wait()
        held.closed.set()

    async def _open(self, held: _Held) -> None:
        opening = held.loaded.plugin.state
        assert opening is not None
        manager = opening(held.loaded.context)
        if not isinstance(cast("object", manager), AbstractAsyncContextManager):
            raise WrongKind(f"it must give an async context manager, not {type(manager).__name__}")
        with trio.CancelScope(deadline=trio.current_time() + self._seconds) as scope:
            async with manager as state:
                scope.deadline = inf
                self._core.states[type(state)] = state
                held.tried.set()
                try:
                    await held.closing.wait()
                finally:
                    del self._core.states[type(state)]
                    scope.deadline = trio.current_time() + self._seconds
        if scope.cancelled_caught:
            raise trio.TooSlowError(f"took longer than {self._seconds:g} s")
