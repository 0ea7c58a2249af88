"""What all async iterators of an embedded node have in common: how they begin, and how they are closed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


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
