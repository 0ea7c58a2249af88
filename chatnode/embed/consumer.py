"""Durable consumers of the program that a node is embedded in: readers of the log whose position is stored.

What is done with a batch and the move of the position can be one transaction, and then happen exactly once. Otherwise a
batch whose `done` was not reached comes again, also after a restart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import TypeVar, cast
from weakref import ref

import attrs
import trio

from chatnode.client.feed import Pushed
from chatnode.concurrency import Backoff
from chatnode.dispatch.core import Core
from chatnode.embed.closing import ConsumerIterator
from chatnode.embed.kinds import kinds_in_log
from chatnode.errors import Refusal
from chatnode.hooks.log_growth import LogGrowth
from chatnode.hooks.programs import OF_PROGRAM, Programs
from chatnode.model.commands.resume import Cursor
from chatnode.protocol import codec
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.finished import finished
from chatnode.storage.engine.transaction import Transaction, Write
from chatnode.storage.log import consumers as storage
from chatnode.storage.log import log

T = TypeVar("T")
BATCH_EVENTS = 100
"""Maximum number of events in a batch."""
KEPT_IN_MEMORY = 10_000
"""Maximum number of rows of other kinds to look at again after a restart; this saves writes of the position."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


@attrs.define(eq=False)
class ConsumerBatch:
    """Events in the order of the log, complete and as they are now: nothing is left out that some users may not see.

    Deal with them, then call `done` once.
    """

    events: list[Pushed]
    _consumer: ProgramConsumer
    upto: int
    """Everything up to this gid is in the batch, or not wanted."""

    async def done(self, write: Write[T] | None = None) -> T | None:
        """Store that the batch is dealt with; returns when that is on disk.

        `write(tx)` runs in the same transaction, in the writer thread: what it does in the node's database happens
        exactly once. Returns what it returned; what it raises leaves the batch undone. Raises `Refusal("conflict")`
        if the stored position is not where the batch was read: then nothing of `write` is kept, and the next batch
        begins there. Raises `RuntimeError` for a batch that is done, or that has come again meanwhile.
        """
        return await self._consumer.dealt_with(self, self.upto, write)


class ProgramConsumer(ConsumerIterator[ConsumerBatch]):
    """`async for batch in …: …; await batch.done()`. A batch that is not done comes again, after a pause.

    Asking for the first batch raises `Refusal("conflict")` while another consumer with the same name is open; asking
    for any raises `unavailable` when the node is closed. Close it with `aclose`, or use `async with`; one that nobody
    refers to any more is closed too.
    """

    _open = False

    def __init__(self, core: Core, name: str, kinds: Iterable[str] | None, *, from_start: bool) -> None:
        """Raises `ValueError` for a name that cannot be one, and for kinds that the log does not have."""
        if not isinstance(cast("object", name), str) or not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot name a consumer: expected a-z, digits and _ . -, up to 64")
        super().__init__()
        self._core = core
        self._programs = core.part(Programs)
        self._name = name
        self._kinds = kinds_in_log(core, kinds)
        self._from_start = from_start
        self._stored: int | None = None
        self._read_up_to = 0
        self._undone: ref[ConsumerBatch] | None = None  # not the batch, which has this: both would stay for a while
        self._backoff = Backoff()

    async def _ready(self) -> None:
        """Its position is stored."""
        if self._stored is None:
            await self._begin()

    async def _release(self) -> None:
        self._forget_name()
        await trio.lowlevel.checkpoint()

    def __del__(self) -> None:
        self._forget_name()

    def _forget_name(self) -> None:
        if self._open:
            self._open = False
            self._programs.close(self._name)

    async def _next(self) -> ConsumerBatch:
        if self._undone is not None:
            await trio.sleep(self._backoff.next_wait())
            self._undone = None
            self._stored = None
        while True:
            await self._ready()
            read = partial(_rows_of, epoch=self._core.epoch, after=self._read_up_to, kinds=self._kinds)
            events, upto, head = await self._core.db.read(read)
            if events:
                batch = ConsumerBatch(events, self, upto)
                self._undone = ref(batch)
                return batch
            await self._nothing_until(upto, head)

    async def _begin(self) -> None:
        """Take the name, and look up the position."""
        if not self._open:
            self._programs.open(self._name)
            self._open = True
        name = (OF_PROGRAM, self._name)
        begin = partial(storage.begin, consumers={name: self._from_start})
        place = (await self._core.db.read(storage.places)).get(name) or (await self._core.db.write(begin))[name]
        self._stored = self._read_up_to = place.cursor
        self._programs.reached(self._name, place.cursor)

    async def _nothing_until(self, upto: int, head: int) -> None:
        """There is nothing for it in what was read: note that, and wait at the end of the log."""
        self._read_up_to = upto
        self._programs.reached(self._name, upto)
        assert self._stored is not None
        if upto - self._stored >= KEPT_IN_MEMORY:
            with suppress(Refusal):  # it begins again, where it was moved to, or when there is space
                await self._move(upto, None)
        if upto >= head:
            await self._core.part(LogGrowth).wait(upto, self._kinds)

    async def dealt_with(self, batch: ConsumerBatch, upto: int, write: Write[T] | None) -> T | None:
        """`ConsumerBatch.done`."""
        if self._stored is None or self._undone is None or self._undone() is not batch:
            raise RuntimeError("this batch was already done, or was delivered again in the meantime")
        result = await self._move(upto, write)
        self._undone = None
        self._backoff.reset()
        self._programs.reached(self._name, upto)
        return result

    async def skip_to(self, upto: int) -> None:
        """Store that everything up to `upto` is dealt with; nothing if that is stored already."""
        await self._ready()
        assert self._stored is not None
        if upto > self._stored:
            await self._move(upto, None)
            self._undone = None
            self._programs.reached(self._name, upto)

    async def _move(self, upto: int, write: Write[T] | None) -> T | None:
        """Store the position, together with what `write` does."""
        expected, name = self._stored, (OF_PROGRAM, self._name)
        assert expected is not None

        def move(tx: Transaction) -> T | None:
            result = finished(write(tx)) if write is not None else None
            storage.move(tx, name, expected, upto)
            return result

        try:
            result = await self._core.db.write(move)
        except storage.Moved:
            self._stored = self._undone = None
            raise Refusal("conflict", f"the position of the consumer {self._name} was moved in the meantime") from None
        self._stored = self._read_up_to = upto
        return result


def _rows_of(reader: Reader, epoch: str, after: int, kinds: frozenset[str] | None) -> tuple[list[Pushed], int, int]:
    """The next events, up to which gid they were looked for, and the newest gid of the log.

    In a reader thread, which may hold on to what it was given: so that is not the consumer.
    """
    rows = storage.pending(reader, after, kinds, BATCH_EVENTS)
    events: list[Pushed] = []
    for row in rows.rows:
        event = log.event_of(reader, row)
        if event is not None:
            fields = codec.to_plain(event)
            events.append(Pushed(row.gid, event.name, event, fields, cursor=Cursor(epoch, row.gid)))
    return events, rows.reached, rows.head
