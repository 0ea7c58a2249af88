"""The events of a user, in a process that shares the node: see `attaching.py`."""

from __future__ import annotations

import attrs

from chatnode.concurrency import OneReader
from chatnode.embed.closing import ClosingIterator
from chatnode.embed.events import LocalItem
from chatnode.embed.frames import EventsWanted
from chatnode.embed.link import NoOwner
from chatnode.embed.owners import Events, HasOwner


class SharedEvents(ClosingIterator):
    """An async iterator of a user's events, from whichever process owns the node."""

    def __init__(self, node: HasOwner, wanted: EventsWanted) -> None:
        self._node = node
        self._wanted = wanted
        self._events: Events | None = None
        self._reader = OneReader()

    async def _ready(self) -> Events:
        while self._events is None:
            owner = await self._node.owner()
            try:
                self._events = await owner.events(self._wanted)
            except NoOwner:
                await self._node.wait_changed(owner)
        return self._events

    async def _release(self) -> None:
        events, self._events = self._events, None
        if events is not None:
            await events.aclose()

    async def __anext__(self) -> LocalItem:
        with self._reader:
            return await self._next()

    async def _next(self) -> LocalItem:
        while not self._ended:
            events = await self._ready()
            try:
                item = await anext(events)
            except NoOwner:
                self._events = None
            except StopAsyncIteration:
                self._ended = True
            else:
                if item.cursor is not None:
                    self._wanted = attrs.evolve(self._wanted, after=item.cursor)
                return item
        await self._release()  # it may have been closed while this waited for an owner
        raise StopAsyncIteration
