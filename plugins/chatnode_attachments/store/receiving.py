"""Receiving the bytes of one request into an upload's file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from math import inf

import trio

from chatnode.api import Refusal
from chatnode_attachments.store.pace import Pace
from chatnode_attachments.store.refusals import ChecksumMismatch, DiskFull, ReceivingIdle
from chatnode_attachments.store.sink import BLOCK, Full, Sink, Unreliable

SAVE_SECONDS = 5.0
"""How often the row of an upload learns what is on disk, while bytes keep coming."""
LAST_FLUSH_SECONDS = 5.0


class Receiver:
    """One request's bytes on their way into a file.

    `save` records in the database how many bytes are on disk. With `whole`, all bytes of the request are kept or none,
    so it is called only at the end.
    """

    def __init__(
        self, sink: Sink, most: int | None, *, idle_seconds: float, whole: bool,
        run: Callable[[Callable[[], None]], Awaitable[None]], save: Callable[[int], Awaitable[None]], pace: Pace,
    ) -> None:  # fmt: skip
        self._sink = sink
        self._most = most
        self._idle_seconds = idle_seconds
        self._whole = whole
        self._run = run
        self._save = save
        self._pace = pace
        self._saved = sink.start
        self._saved_at = trio.current_time()
        self._waiting: list[bytes] = []
        self._size = 0

    async def receive(self, chunks: AsyncIterator[bytes]) -> None:
        """Take everything in, and return when it is on disk and the row says so.

        Whatever ends it, a vanished client and a cancellation included, the bytes that came before are kept; with
        `whole`, none. Raises `Refusal`, and `Unreliable` when the file must not be used again.
        """
        try:
            await self._take_in(chunks)
            await self._write()
        except BaseException as error:
            with trio.CancelScope(deadline=trio.current_time() + LAST_FLUSH_SECONDS, shield=True):
                await self._keep_what_came(error)
            if isinstance(error, Full):
                raise DiskFull from error
            raise
        with trio.CancelScope(shield=True):
            await self._finish()

    async def _take_in(self, chunks: AsyncIterator[bytes]) -> None:
        with trio.CancelScope(deadline=trio.current_time() + self._idle_seconds) as idle:
            async for chunk in chunks:
                idle.deadline = inf  # a slow disk is no idle client
                fits = chunk if self._most is None else chunk[: self._most - self._sink.end - self._size]
                if fits:
                    self._waiting.append(fits)
                    self._size += len(fits)
                if len(fits) < len(chunk):
                    raise Refusal("too_large", f"there are more than {self._most} bytes", path="length")
                if self._size >= BLOCK:
                    await self._write()
                    await self._pace.rest()
                    await self._save_sometimes()
                idle.deadline = trio.current_time() + self._idle_seconds
        if idle.cancelled_caught:
            raise ReceivingIdle(self._idle_seconds)

    async def _write(self) -> None:
        """Cancelling it either writes everything or nothing."""
        await self._run(lambda: self._sink.write(self._waiting))
        self._waiting, self._size = [], 0

    async def _save_sometimes(self) -> None:
        if self._whole or self._sink.synced == self._saved:
            return
        if trio.current_time() - self._saved_at >= SAVE_SECONDS:
            await self._save_synced()

    async def _save_synced(self) -> None:
        if self._sink.synced != self._saved:
            await self._save(self._sink.synced)
            self._saved, self._saved_at = self._sink.synced, trio.current_time()

    async def _finish(self) -> None:
        if not self._sink.agrees():
            await self._run(self._sink.cut_back)
            raise ChecksumMismatch
        await self._run(self._sink.sync)
        await self._save_synced()

    async def _keep_what_came(self, error: BaseException) -> None:
        if isinstance(error, Unreliable):
            return
        try:
            if self._whole:
                await self._run(self._sink.cut_back)
                return
            if not isinstance(error, Full):
                await self._write()
            await self._run(self._sink.sync)
            await self._save_synced()
        except (Full, Refusal):
            pass  # what is on disk and not in the row is cut off when the upload continues
