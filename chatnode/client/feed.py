"""Events between the connection and the app: in order, each once, bounded in bytes.

The node's log is the queue. When the app is behind by `most_bytes`, further events are let go and fetched
again, from the last one taken in, once the app has caught up.
"""

from __future__ import annotations

from collections import deque
from typing import Any, TypeAlias

import attrs
import trio

from chatnode.concurrency import OneReader, Signal
from chatnode.errors import Refusal
from chatnode.model.commands.messages import InboxPage
from chatnode.model.commands.resume import Cursor, Welcome
from chatnode.model.ephemeral import EPHEMERAL
from chatnode.model.events import EVENTS, Event
from chatnode.protocol import codec

_ITEM_BYTES = 256  # what an item costs beside its frame


@attrs.frozen
class _Placed:
    """`cursor` is where to go on once this item was dealt with; None for what only passes, which has no place."""

    cursor: Cursor | None = attrs.field(default=None, eq=False, kw_only=True)


@attrs.frozen
class Pushed(_Placed):
    """Something happened. `event` is None for an event that this version does not know or cannot read; its
    name and fields are here all the same. `gid` is None for what only passes: presence and typing."""

    gid: int | None
    name: str
    event: Event | None
    fields: dict[str, Any]


@attrs.frozen
class Reset(_Placed):
    """The events since the cursor are not to be had: forget what you knew, `inbox` is how it is now.

    The first item of a client without a cursor. It stands for every event up to the client's cursor.
    """

    inbox: InboxPage


@attrs.frozen
class Live(_Placed):
    """Everything up to `gid` has been handed over; what follows happens now."""

    gid: int


@attrs.frozen
class Interrupted(_Placed):
    """The connection was lost and is being made again. A `Live` follows when it is, after what was missed."""

    reason: str


Item: TypeAlias = Pushed | Reset | Live | Interrupted


@attrs.define
class _Queued:
    item: Item
    bytes: int


class Feed:
    """`dealt_with` is the cursor of what the app was done with when it asked for more, `reached` of what was taken in;
    a resume begins there.

    With `wanted` false nothing is kept for the app. All but `next` and the wait is sync and never checkpoints.
    `changed` is given whenever something is put in or taken out.
    """

    def __init__(self, changed: Signal, cursor: Cursor | None, most_bytes: int, *, wanted: bool) -> None:
        self.dealt_with = cursor
        self._handed = cursor
        self.reached = cursor
        self._most_bytes = most_bytes
        self._wanted = wanted
        self._queue: deque[_Queued] = deque()
        self._bytes = 0
        self._behind = False
        self._ended: Exception | None = None
        self._changed = changed
        self._reader = OneReader()

    @property
    def has_room(self) -> bool:
        return self._bytes < self._most_bytes

    # ---- from the connection

    def begin(self, welcome: Welcome) -> None:
        """A connection begins. A reset takes the place of every event that is still queued."""
        self._behind = False
        if welcome.mode == "replay" and self.reached is not None:
            return
        self.reached = Cursor(welcome.epoch, welcome.head)
        self._queue.clear()
        self._bytes = 0
        self._put(Reset(welcome.inbox or InboxPage([]), cursor=self.reached), 0)

    def take(self, push: dict[str, Any], size: int) -> None:
        """A push came: queue it, or drop it as a repeat, or as more than the app takes now."""
        name, gid = push.get("event"), push.get("gid")
        if not isinstance(name, str) or self.reached is None:
            return
        durable = isinstance(gid, int)
        if durable and gid <= self.reached.gid and name != "live":
            return
        if self._behind or not self.has_room:
            self._behind = self._behind or durable
            return
        if isinstance(gid, int):
            self.reached = Cursor(self.reached.epoch, max(gid, self.reached.gid))
        if self._wanted:
            place = self.reached if durable else None
            if name == "live":
                self._put(Live(self.reached.gid, cursor=place), size)
            else:
                self._put(pushed(gid if durable else None, name, push, place), size)

    def interrupt(self, reason: str) -> None:
        """The connection was lost."""
        if self.has_room and not self._behind:
            self._put(Interrupted(reason), 0)

    def end(self, error: Exception | None) -> None:
        """Nothing more will come. The app gets what is queued, and then `error`, or the end."""
        self._ended = error or trio.EndOfChannel()
        self._changed.notify()

    def _put(self, item: Item, size: int) -> None:
        if not self._wanted:
            return
        self._queue.append(_Queued(item, size + _ITEM_BYTES))
        self._bytes += size + _ITEM_BYTES
        self._changed.notify()

    # ---- to the app

    async def next(self) -> Item:
        """The next item, in order; the one before was dealt with.

        Raises what `end` was given, `trio.EndOfChannel` by default, and `RuntimeError` while another task waits for it.

        Cancelling loses nothing: an item is handed over without a checkpoint after it was taken.
        """
        with self._reader:
            self.dealt_with = self._handed
            await trio.lowlevel.checkpoint()
            while not self._queue:
                if self._ended is not None:
                    raise self._ended.with_traceback(None)  # else it grows with each time that it is raised
                await self._changed.wait()
        queued = self._queue.popleft()
        self._bytes -= queued.bytes
        if queued.item.cursor is not None:
            self._handed = queued.item.cursor
        self._changed.notify()
        return queued.item

    async def wait_caught_up(self) -> None:
        """Until the app has taken everything while more of it was let go."""
        while not (self._behind and not self._queue):
            await self._changed.wait()


def pushed(gid: int | None, name: str, push: dict[str, Any], cursor: Cursor | None) -> Pushed:
    """What a push's frame says."""
    fields = {key: value for key, value in push.items() if key not in ("gid", "event")}
    kind = EVENTS.get(name) or EPHEMERAL.get(name)
    event: Event | None = None
    if kind is not None:
        try:
            event = codec.read(fields, kind)
        except Refusal:
            event = None  # of a newer node, which says it otherwise
    return Pushed(gid, name, event, fields, cursor=cursor)
