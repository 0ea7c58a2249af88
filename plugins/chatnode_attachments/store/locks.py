"""One request at a time works on an upload, and the latest wins.

Locks are in memory: a restart leaves none behind. A client whose network changed must not wait until the node notices
that the old connection is dead, so a new request stops the one before.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs
import trio

from chatnode_attachments.store.refusals import UploadLocked, UploadTakenOver

WAIT_SECONDS = 5.0


@attrs.define(eq=False)
class Holder:
    """A request that works on an upload. `finishing`: it only waits for the node itself, so it is not stopped."""

    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    done: trio.Event = attrs.field(factory=trio.Event)
    finishing: bool = False


class Locks:
    """The holders by the ids of their uploads."""

    def __init__(self) -> None:
        self._holders: dict[str, Holder] = {}

    def holder(self, id: str) -> Holder:
        """The holder of a lock; for code that runs inside of `hold`."""
        return self._holders[id]

    def ids(self) -> frozenset[str]:
        """The uploads that a request works on now."""
        return frozenset(self._holders)

    @asynccontextmanager
    async def hold(self, id: str) -> AsyncGenerator[None]:
        """Stop the current holder, wait until it has ended, and hold the lock.

        Raises `UploadLocked` if the other does not end within 5 seconds, and `UploadTakenOver` out of the block when a
        later request stopped it.
        """
        await self._stop(id)
        holder = self._holders[id] = Holder()
        try:
            with holder.scope:
                yield
        finally:
            del self._holders[id]
            holder.done.set()
        if holder.scope.cancelled_caught:
            raise UploadTakenOver

    async def _stop(self, id: str) -> None:
        with trio.move_on_after(WAIT_SECONDS):
            while (holder := self._holders.get(id)) is not None:
                if not holder.finishing:
                    holder.scope.cancel()
                await holder.done.wait()
        if id in self._holders:
            raise UploadLocked
