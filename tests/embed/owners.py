"""Owners of a node, for tests of processes that share it. All are in the test's own process."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from chatnode.config import Config
from chatnode.embed.attaching import Own
from chatnode.node import Node, open_node


def opener(data: Path, config: Config, *plugins: Any) -> Own:
    """Opens the node as the process does that owns it."""

    @asynccontextmanager
    async def own() -> AsyncGenerator[Node]:
        async with open_node(data, config, only=plugins) as node, trio.open_nursery() as nursery:
            await nursery.start(node.run)
            yield node
            nursery.cancel_scope.cancel()

    return own


class Owners:
    """One owner after the other."""

    def __init__(self, data: Path, config: Config, nursery: trio.Nursery) -> None:
        self._own = opener(data, config)
        self._nursery = nursery
        self._stop = trio.Event()
        self._stopped = trio.Event()
        self.node: Node | None = None

    async def start(self) -> Node:
        self._stop, self._stopped = trio.Event(), trio.Event()
        self.node = await self._nursery.start(self._run)
        assert self.node is not None
        return self.node

    async def stop(self) -> None:
        self._stop.set()
        await self._stopped.wait()

    async def _run(self, task_status: trio.TaskStatus[Any]) -> None:
        async with self._own() as node:
            task_status.started(node)
            await self._stop.wait()
        self._stopped.set()
