"""What takes long of a post: it is read and becomes a text in a thread, so that nobody else waits for it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar, TypeVarTuple

import trio

from chatnode.api import Context

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Converting:
    """What the plugin holds while a node is open: `ctx.state(Converting)`. One post at a time is converted."""

    def __init__(self) -> None:
        self._one = trio.CapacityLimiter(1)

    async def run(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        """Call a plain function in a thread."""
        return await trio.to_thread.run_sync(function, *args, limiter=self._one)


@asynccontextmanager
async def open_converting(ctx: Context) -> AsyncGenerator[Converting]:
    yield Converting()
