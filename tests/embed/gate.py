"""A plugin whose commands wait until a test lets them go on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated, Any

import attrs
import trio

from chatnode.api import Context, Nothing, Plugin, Text, command, hookimpl
from chatnode.concurrency import Signal


@attrs.define
class Named:
    name: Annotated[str, Text(100)]


@attrs.define
class Big:
    text: str


class Gate:
    """`begun` and `cancelled` are the names of calls; those that wait end when `open` is set."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.cancelled: list[str] = []
        self.bigs = 0
        self.open = trio.Event()
        self._changed = Signal()

    def plugin(self) -> Any:
        @command("gate.wait", permission=None)
        async def wait(ctx: Context, asked: Named) -> Named:
            """Wait until the gate is open."""
            self.begun.append(asked.name)
            self._changed.notify()
            try:
                await self.open.wait()
            except trio.Cancelled:
                self.cancelled.append(asked.name)
                self._changed.notify()
                raise
            return asked

        @command("gate.big", permission=None)
        async def big(ctx: Context, asked: Nothing) -> Big:
            """A large answer."""
            self.bigs += 1
            return Big("x" * 100_000)

        @hookimpl
        def chatnode_plugin() -> Plugin:
            return Plugin(name="gate", version="1.0", api="2.0", about="Waits.", commands=(wait, big))

        return SimpleNamespace(chatnode_plugin=chatnode_plugin)

    async def wait_begun(self, count: int) -> None:
        with trio.fail_after(10):
            while len(self.begun) < count:
                await self._changed.wait()

    async def wait_cancelled(self) -> None:
        with trio.fail_after(10):
            while not self.cancelled:
                await self._changed.wait()
