"""Durable consumers in a process that shares the node: see `attaching.py`."""

from __future__ import annotations

from typing import Any
from weakref import ref

import attrs
import trio

from chatnode.client.feed import Pushed
from chatnode.embed.closing import ConsumerIterator
from chatnode.embed.frames import ConsumerWanted
from chatnode.embed.link import NoOwner
from chatnode.embed.owners import ConsumerBatches, HasOwner
from chatnode.errors import ConnectionLost, Refusal

STANDBY_SECONDS = 0.5
"""How often a consumer looks whether another process has left its name."""


@attrs.define(eq=False)
class SharedBatch:
    """Events in the order of the log, as in `chatnode.embed.consumer.ConsumerBatch`. Deal with them, then call
    `done`."""

    events: list[Pushed]
    _consumer: SharedConsumer
    _upto: int

    async def done(self, write: Any = None) -> None:
        """Store that the batch is dealt with; returns when that is on disk.

        Raises `ConnectionLost` if another process has taken the consumer over meanwhile: the batch may have come again
        there. Raises `RuntimeError` for a batch that is done, or that has come again here, and `Refusal` for a `write`:
        it would have to run in the owner's process.
        """
        if write is not None:
            raise Refusal(
                "invalid",
                'done(write=…) runs where the node is, and needs attach="never"; make your processing idempotent, '
                "by the gid of each event, and call done() without it",
                path="write",
            )
        await self._consumer.dealt_with(self, self._upto)


class SharedConsumer(ConsumerIterator[SharedBatch]):
    """`async for batch in …: …; await batch.done()`. A batch that is not done comes again, after a pause.

    Of all processes that open a consumer with the same name, one gets the batches; the others wait, and one of them
    goes on where it stopped. Within a process, the second one raises `Refusal("conflict")`.
    """

    def __init__(self, node: HasOwner, wanted: ConsumerWanted) -> None:
        super().__init__()
        self._node = node
        self._wanted = wanted
        self._batches: ConsumerBatches | None = None
        self._undone: ref[SharedBatch] | None = None
        self._named = False

    async def _release(self) -> None:
        self._forget_name()
        batches, self._batches = self._batches, None
        if batches is not None:
            await batches.aclose()

    def __del__(self) -> None:
        self._forget_name()

    def _forget_name(self) -> None:
        if self._named:
            self._named = False
            self._node.names.discard(self._wanted.name)

    async def _next(self) -> SharedBatch:
        self._undone = None
        while True:
            batches = await self._ready()
            try:
                events, upto = await batches.next()
            except NoOwner:
                self._batches = None
                continue
            batch = SharedBatch(events, self, upto)
            self._undone = ref(batch)
            return batch

    async def _ready(self) -> ConsumerBatches:
        """Take the name, once no other process has it; its position is stored."""
        if not self._named:
            if self._wanted.name in self._node.names:
                raise Refusal("conflict", f"the consumer {self._wanted.name} is already running", path="name")
            self._node.names.add(self._wanted.name)
            self._named = True
        while self._batches is None:
            try:
                self._batches = await self._open()
            except Refusal as refusal:
                if (refusal.code, refusal.path) != ("conflict", "name"):
                    raise
                await trio.sleep(STANDBY_SECONDS)
        return self._batches

    async def _open(self) -> ConsumerBatches | None:
        owner = await self._node.owner()
        try:
            return await owner.consumer(self._wanted)
        except NoOwner:
            await self._node.wait_changed(owner)
            return None

    async def dealt_with(self, batch: SharedBatch, upto: int) -> None:
        """`SharedBatch.done`."""
        if self._undone is None or self._undone() is not batch:
            raise RuntimeError("this batch was already done, or was delivered again in the meantime")
        while True:
            try:
                while self._batches is None:
                    self._batches = await self._open()
                await self._batches.done(upto)
            except NoOwner:
                self._batches = None  # what was stored is asked of the next owner
                continue
            except Refusal as refusal:
                if (refusal.code, refusal.path) == ("conflict", "name"):
                    raise ConnectionLost(f"another process has taken over the consumer {self._wanted.name}") from None
                raise
            self._undone = None
            if self._ended:  # it was closed before this, and must not keep the name
                await self._release()
            return
