"""What all async iterators of an embedded node have in common: how they begin, and how they are closed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

import trio

from chatnode.concurrency import READ_ALREADY

T = TypeVar("T")
R = TypeVar("R")


class ClosingIterator(ABC):
    """An async iterator that is closed with `aclose`, or with `async with`. It ends once `_ended` is set."""

    _ended = False

    def __aiter__(self) -> Self:
        return self

    async def __aenter__(self) -> Self:
        """From here on nothing is missed."""
        await self._ready()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End it. Closing twice does nothing."""
        self._ended = True
        await self._release()

    @abstractmethod
    async def _ready(self) -> object:
        """Take what is needed, such as a session or a name, if that is not there already."""

    @abstractmethod
    async def _release(self) -> None:
        """Let go of it, if it is there."""


class ConsumerIterator(ClosingIterator, Generic[T]):
    """A consumer in the trio run. Closing it also ends the waiting of the task that reads it."""

    def __init__(self) -> None:
        self._turn = trio.Lock()
        self._scope: trio.CancelScope | None = None

    async def __aenter__(self) -> Self:
        await self._until_closed(self._ready)
        return self

    async def __anext__(self) -> T:
        """Raises `RuntimeError` while another task waits for the next."""
        if self._turn.locked():
            raise RuntimeError(READ_ALREADY)
        return await self.next_in_turn()

    async def next_in_turn(self) -> T:
        """As `anext`, but after a task that was cancelled and has not left yet."""
        item = await self._until_closed(self._next)
        if item is None:
            raise StopAsyncIteration
        return item

    async def aclose(self) -> None:
        """End it. Closing twice does nothing."""
        self._ended = True
        if self._scope is not None:
            self._scope.cancel()
        await self._release()

    async def _until_closed(self, run: Callable[[], Awaitable[R]]) -> R | None:
        """What it returns; None once this is closed. Then what it has taken meanwhile is let go of again."""
        found: R | None = None
        async with self._turn:
            try:
                with trio.CancelScope() as self._scope:
                    found = await run() if not self._ended else None
            except Exception:
                if not self._ended:  # else closing was the cause
                    raise
            finally:
                self._scope = None
            if self._ended:
                await self._release()
                return None
        return found

    @abstractmethod
    async def _next(self) -> T:
        """The next batch."""
