"""The body of a request to a plugin's route: it is read from the connection as the route's handler asks for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from math import inf
from typing import Any, Literal

import trio

from chatnode.errors import Refusal
from chatnode.hooks.routes import Disconnected

DRAIN_BYTES = 1_048_576
DRAIN_SECONDS = 2.0


class RequestBody:
    """What the client sends. `received` is set once all of it came.

    `most` is its maximum size, 0 for none, and `most_at_once` that of one which is wanted in one piece. `idle` seconds
    without a byte end it, 0 being never. `broke` is called once, when it ends early.
    """

    def __init__(
        self,
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        *,
        length: int | None,
        most: int,
        most_at_once: int,
        idle: float,
        broke: Callable[[], None],
    ) -> None:
        self._receive = receive
        self._length = length
        self._most = most
        self._most_at_once = most or most_at_once
        self._idle = idle or inf
        self._broke = broke
        self._taken = 0
        self._waiting = trio.CancelScope()
        self.received = trio.Event()
        self.broken: Literal["gone", "idle", "stopping"] | None = None
        """Why it ended early."""
        if length == 0:
            self.received.set()
        elif length is not None and most and length > most:
            raise _too_large(most)

    def stop(self) -> None:
        """The node is stopping: nothing more is read."""
        self._break("stopping")
        self._waiting.cancel()

    def __aiter__(self) -> RequestBody:
        return self

    async def __anext__(self) -> bytes:
        part = await self._next_part()
        self._taken += len(part)
        if self._most and self._taken > self._most:
            raise _too_large(self._most)
        return part

    async def whole(self) -> bytes:
        if self._length is not None and self._length > self._most_at_once:
            raise _too_large(self._most_at_once)
        parts: list[bytes] = []
        size = 0
        async for part in self:
            parts.append(part)
            size += len(part)
            if size > self._most_at_once:
                raise _too_large(self._most_at_once)
        return b"".join(parts)

    async def drain(self) -> None:
        drained = 0
        with trio.move_on_after(DRAIN_SECONDS), suppress(Disconnected, StopAsyncIteration):
            while drained < DRAIN_BYTES:
                drained += len(await self._next_part())

    async def _next_part(self) -> bytes:
        """Raises `StopAsyncIteration` at the end, and `Disconnected` if it comes early."""
        while not self.received.is_set():
            if self.broken is not None:
                raise Disconnected(self.broken)
            with trio.CancelScope(deadline=trio.current_time() + self._idle) as self._waiting:
                message = await self._receive()
                if message["type"] != "http.request":
                    self._break("gone")
                    continue
                if not message["more_body"]:
                    self.received.set()
                if message["body"]:
                    return message["body"]
            if self._waiting.cancelled_caught:
                self._break("idle")
        await trio.lowlevel.checkpoint()
        raise StopAsyncIteration

    def _break(self, why: Literal["gone", "idle", "stopping"]) -> None:
        if self.broken is None and not self.received.is_set():
            self.broken = why
            self._broke()


def _too_large(most: int) -> Refusal:
    return Refusal("too_large", f"the request's body is larger than {most} bytes")
