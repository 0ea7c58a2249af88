"""Ways through the log: which events come next, and up to where all of them are done."""

from __future__ import annotations

from collections import deque

import attrs
import trio

from chatnode.api import Context
from chatnode_webhooks.outgoing.endpoints import Endpoint
from chatnode_webhooks.outgoing.reading import Heard, read_page

PAGE = 16
WINDOW = 256
"""Maximum number of events taken above the cursor. Those of them that had ended are sent again after a crash."""
STALE_SECONDS = 5.0
"""Events that have waited for longer since they were read are read again: users may have deleted or left since."""


@attrs.define(eq=False)
class Track:
    """`position`: the gid up to which the log was read. With `upto`, the way ends there. `key` is that of its replay.

    Events are taken in the order of the log and end in any order; `cursor` never passes one that has not ended.
    """

    position: int
    upto: int | None = None
    key: int | None = None
    at_end: bool = False
    """Whether the log had nothing more when it was last read."""
    _ahead: deque[Heard] = attrs.field(init=False, factory=deque[Heard])
    _read_at: float = attrs.field(init=False, default=0.0)
    _stopped: bool = attrs.field(init=False, default=False)
    """The endpoint was changed, which its courier is about to hear."""
    _taken: dict[int, bool] = attrs.field(init=False, factory=dict[int, bool])
    """Events that were taken and are above the cursor; True for those that have ended."""

    @property
    def cursor(self) -> int:
        """All events up to this gid have ended."""
        waiting = [gid for gid, ended in self._taken.items() if not ended] + [each.gid for each in self._ahead]
        cursor = min(waiting) - 1 if waiting else self.position
        for gid in [gid for gid in self._taken if gid <= cursor]:
            del self._taken[gid]
        return cursor

    @property
    def is_over(self) -> bool:
        """Whether all up to `upto` is done."""
        return self.upto is not None and self.cursor >= self.upto

    @property
    def may_have_more(self) -> bool:
        """Whether `next_event` may give an event."""
        if self._stopped or len(self._taken) >= WINDOW:
            return False
        unread = not self.at_end and (self.upto is None or self.position < self.upto)
        return bool(self._ahead) or unread

    async def next_event(self, ctx: Context, endpoint: Endpoint) -> Heard | None:
        """The next event; None if there is none now. Raises what `read_page` raises."""
        if self._ahead and trio.current_time() - self._read_at > STALE_SECONDS:
            self.position = min(each.gid for each in self._ahead) - 1
            self._ahead.clear()
            self.at_end = False
        while not self._ahead:
            if not self.may_have_more:
                return None
            await self._read(ctx, endpoint)
        heard = self._ahead.popleft()
        self._taken[heard.gid] = False
        return heard

    async def _read(self, ctx: Context, endpoint: Endpoint) -> None:
        page = await read_page(ctx, endpoint, self.position, PAGE)
        if page is None:
            self._stopped = True
            return
        self._read_at = trio.current_time()
        within = [each for each in page.events if self.upto is None or each.gid <= self.upto]
        self._ahead.extend(each for each in within if each.gid not in self._taken)
        self.at_end = page.at_end
        self.position = page.reached
        if self.upto is not None and (self.at_end or page.reached > self.upto):
            self.position = self.upto

    def put_back(self, heard: Heard) -> None:
        """It was not sent."""
        self._taken.pop(heard.gid, None)
        self._ahead.appendleft(heard)

    def ended(self, gid: int) -> None:
        """It was sent, or is stored as one that failed."""
        if gid in self._taken:
            self._taken[gid] = True
