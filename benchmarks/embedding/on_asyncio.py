"""asyncio, with the node in a thread of its own: calls that do nothing, posts, events, start and end."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from benchmarks.embedding.load import CONFIG, TEXT, Meter, Run, many_at_a_time, one_at_a_time, quantiles
from benchmarks.errors import require
from benchmarks.scenario import Figures
from chatnode.client.feed import Pushed
from chatnode.embed.aio import AsyncCaller, Node
from chatnode.embed.portal import size_of
from chatnode.portal.calls import at_once
from chatnode.portal.loops import LoopPortal
from chatnode.portal.stream import AsyncStream

READERS = 10


def measure(data: Path, seconds: float, began: float) -> Figures:
    return asyncio.run(_measure(data, seconds, began))


async def _measure(data: Path, seconds: float, began: float) -> Figures:
    figures: Figures = {}
    async with Node(data, config=CONFIG) as node:
        figures["first_start"] = time.perf_counter() - began
        handles = [f"p{number}" for number in range(READERS)]
        for handle in handles:
            await node.operator.people.create(handle=handle)
        ann = node.person(handles[0])
        talk = (await ann.conversations.direct(with_=handles[1])).conversation
        post = partial(ann.messages.post, conversation=talk, text=TEXT)
        loops = LoopPortal(node._inside.portal)  # pyright: ignore[reportPrivateUsage]
        nothing = partial(loops.ask, at_once, int)

        figures |= quantiles("empty", await one_at_a_time(seconds / 2, nothing))
        rate = await many_at_a_time(seconds / 2, nothing)
        figures |= {"empty_calls": rate.per_second, "empty_cpu": rate.cpu_us}
        figures |= quantiles("aio", await one_at_a_time(seconds, post))
        rate = await many_at_a_time(seconds, post)
        figures |= {"aio_posts": rate.per_second, "aio_cpu": rate.cpu_us}
        group = (await ann.conversations.create(title="All", members=handles[1:])).conversation
        post = partial(ann.messages.post, conversation=group, text=TEXT)
        figures["events"] = await _events([node.person(each) for each in handles], post, seconds)
        figures["crossing_events"] = await _crossing(loops, seconds / 2)
        await asyncio.sleep(1)  # idle
        ending = time.perf_counter()
    figures["stop"] = time.perf_counter() - ending
    starting = time.perf_counter()
    async with Node(data, config=CONFIG) as node:
        figures["second_start"] = time.perf_counter() - starting
    return figures


async def _events(readers: list[AsyncCaller], post: Run, seconds: float) -> float:
    """Events/s that iterators are given while there is a post at a time for each task."""
    posted, taken = Meter(seconds), 0
    ready = asyncio.Barrier(len(readers) + 1)
    over = asyncio.Event()

    async def read(reader: AsyncCaller) -> None:
        nonlocal taken
        async with reader.events(kinds={"message.posted"}) as events:
            await ready.wait()
            seen = 0
            async for item in events:
                if isinstance(item, Pushed):
                    seen += 1
                    taken += 1
                    if over.is_set() and seen >= posted.count:
                        return

    reading = [asyncio.create_task(read(each)) for each in readers]
    await ready.wait()
    posted.start()
    await asyncio.gather(*(posted.repeat(post) for _ in range(20)))
    over.set()
    posted.count += 1
    await post()
    await asyncio.gather(*reading)
    require(taken == posted.count * len(readers), f"{taken} events of {posted.count} posts for {len(readers)}")
    return posted.rate(taken).per_second


async def _crossing(loops: LoopPortal, seconds: float) -> float:
    """Events/s that cross when the node has them at once."""
    item = Pushed(1, "message.posted", None, {"message": {"message": "0" * 32, "text": TEXT}})

    async def source() -> AsyncIterator[Pushed]:
        while True:
            yield item

    meter = Meter(seconds)
    meter.start()
    async with AsyncStream(loops.portal, lambda: nullcontext(source()), size_of) as items:
        async for _ in items:
            meter.count += 1
            if not meter.count % 100 and not meter.running:
                break
    return meter.rate().per_second
