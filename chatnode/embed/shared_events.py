"""The events of a user, in a process that shares the node: see `attaching.py`."""

from __future__ import annotations

from types import TracebackType

import attrs

from chatnode.embed.events import LocalItem
from chatnode.embed.frames import EventsWanted
from chatnode.embed.link import NoOwner
from chatnode.embed.owners import Events, HasOwner


class SharedEvents:
    """An async iterator of a user's events, from whichever process owns the node."""

    def __init__(self, node: HasOwner, wanted: EventsWanted) -> None:
        self._node = node
        self._wanted = wanted
        self._events: Events | None = None
        self._ended = False

    def __aiter__(self) -> SharedEvents:
        return self

    async def __aenter__(self) -> SharedEvents:
        """From here on nothing is missed."""
        while self._events is None:
            await self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closing twice does nothing."""
        self._ended = True
        events, self._events = self._events, None
        if events is not None:
            await events.aclose()

    async def __anext__(self) -> LocalItem:
        while not self._ended:
            if self._events is None:
                await self._begin()
                continue
            try:
                item = await anext(self._events)
            except NoOwner:
                self._events = None
            except StopAsyncIteration:
                self._ended = True
            else:
                if item.cursor is not None:
                    self._wanted = attrs.evolve(self._wanted, after=item.cursor)
                return item
        raise StopAsyncIteration

    async def _begin(self) -> None:
        owner = await self._node.owner()
        try:
            self._events = await owner.events(self._wanted)
        except NoOwner:
            await self._node.wait_changed(owner)
