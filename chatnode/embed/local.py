"""What the owner's node does for whichever process asks: this one, or one that is attached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatnode.client.feed import Pushed
from chatnode.embed.consumer import ConsumerBatch, ProgramConsumer
from chatnode.embed.events import LocalEvents
from chatnode.embed.frames import ConsumerWanted, EventsWanted, Who
from chatnode.errors import Refusal

if TYPE_CHECKING:
    from chatnode.embed.callers import EmbeddedCaller
    from chatnode.node import Node


def repeatable(node: Node) -> list[str]:
    """The commands that may be carried out twice."""
    return [command.name for command in node.table if command.repeatable]


def caller_of(node: Node, who: Who) -> EmbeddedCaller:
    """Raises `Refusal` for what is none."""
    match who:
        case ["operator"]:
            return node.operator
        case ["person", str(handle), bool(limits)]:
            return node.person(handle, limits=limits)
        case ["bot", str(handle), bool(create)]:
            return node.bot(handle, create=create)
        case _:
            raise Refusal("invalid", "`as` names no caller", path="as")


async def begin_events(node: Node, wanted: EventsWanted) -> LocalEvents:
    """The events, once the session is there. Raises `Refusal`."""
    caller = caller_of(node, wanted.who)
    try:
        events = caller.events(wanted.after, kinds=wanted.kinds, conversations=wanted.conversations)
    except ValueError as error:
        raise Refusal("invalid", str(error), path="kinds") from None
    await events.__aenter__()
    return events


async def open_batches(node: Node, wanted: ConsumerWanted) -> LocalBatches:
    """Take the consumer's name. Raises `Refusal("conflict", path="name")` while it is taken."""
    try:
        consumer = node.consumer(wanted.name, wanted.kinds, wanted.from_start)
    except ValueError as error:
        raise Refusal("invalid", str(error)) from None
    await consumer.__aenter__()
    return LocalBatches(consumer)


class LocalBatches:
    """`chatnode.embed.owners.ConsumerBatches` over a consumer."""

    def __init__(self, consumer: ProgramConsumer) -> None:
        self._consumer = consumer
        self._batch: ConsumerBatch | None = None

    async def next(self) -> tuple[list[Pushed], int]:
        self._batch = await anext(self._consumer)
        return self._batch.events, self._batch.upto

    async def done(self, upto: int) -> None:
        batch, self._batch = self._batch, None
        if batch is not None and batch.upto == upto:
            await batch.done()
        else:
            await self._consumer.skip_to(upto)  # what was read at an earlier owner

    async def aclose(self) -> None:
        await self._consumer.aclose()
