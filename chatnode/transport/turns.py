"""The order of a session's requests: one that came alone, and several that came together."""

from __future__ import annotations

import trio

from chatnode.concurrency import Signal


class RequestBatch:
    """Requests that came together: their writes share commits, their reads see the writes before them."""

    __slots__ = ("done", "sending", "writes")

    def __init__(self) -> None:
        self.writes = 0
        self.done = Signal()
        self.sending = trio.Lock()


class LoneTurn:
    """The turn of a request that came alone."""

    __slots__ = ("reply_is_coming",)

    def __init__(self) -> None:
        self.reply_is_coming = False

    def write_begins(self) -> None:
        self.reply_is_coming = True

    def write_ends(self) -> None:
        self.reply_is_coming = False

    async def wait_for_writes(self) -> None:
        """There are none."""


class BatchTurn:
    """One request's place in a batch."""

    __slots__ = ("_batch", "_begun", "_task_status", "reply_is_coming")

    def __init__(self, batch: RequestBatch, task_status: trio.TaskStatus[None]) -> None:
        self._batch = batch
        self._task_status = task_status
        self._begun = False
        self.reply_is_coming = False

    def let_next_begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._task_status.started()

    def write_begins(self) -> None:
        self._batch.writes += 1
        self.let_next_begin()

    def write_ends(self) -> None:
        self._batch.writes -= 1
        if not self._batch.writes:
            self._batch.done.notify()

    async def wait_for_writes(self) -> None:
        while self._batch.writes:
            await self._batch.done.wait()
