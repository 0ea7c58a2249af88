"""How many downloads each user may have at a time."""

from __future__ import annotations

from math import inf
from weakref import WeakValueDictionary

import trio

from chatnode.api import Refusal, counted

PATIENCE_SECONDS = 20.0


class DownloadSlots:
    """Users' slots. A browser asks for all pictures of a page together: those above the maximum wait for a while.

    On the trio thread only.
    """

    def __init__(self, most: int) -> None:
        self._most = most or inf
        self._people: WeakValueDictionary[int, trio.CapacityLimiter] = WeakValueDictionary()

    async def acquire(self, person: int) -> Slot:
        """A slot of the user with this key, to be released. Raises `Refusal("unavailable")`."""
        limiter = self._people.get(person)
        if limiter is None:
            limiter = self._people[person] = trio.CapacityLimiter(self._most)
        slot = Slot(limiter)
        with trio.move_on_after(PATIENCE_SECONDS):
            await limiter.acquire_on_behalf_of(slot)
            return slot
        running = counted(int(self._most), "download")
        raise Refusal("unavailable", f"you already have {running} in progress", retry_after=5)


class Slot:
    """One download of a user. The limiter is kept as long as somebody has a slot of it or waits for one."""

    def __init__(self, limiter: trio.CapacityLimiter) -> None:
        self._limiter = limiter

    def release(self) -> None:
        self._limiter.release_on_behalf_of(self)
