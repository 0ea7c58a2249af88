"""A client of the library for asyncio, over a socket on loopback to a node in the same process."""

import asyncio
from functools import partial
from pathlib import Path

from benchmarks.embedding.load import CONFIG, TEXT, many_at_a_time, one_at_a_time, quantiles
from benchmarks.scenario import Figures
from chatnode.client.aio import connect
from chatnode.embed.aio import Node


def measure(data: Path, seconds: float, began: float) -> Figures:
    return asyncio.run(_measure(data, seconds))


async def _measure(data: Path, seconds: float) -> Figures:
    async with Node(data, config=CONFIG, serve="127.0.0.1:0") as node:
        for handle in ("ann", "bob"):
            await node.operator.people.create(handle=handle)
        token = (await node.operator.tokens.create(person="ann")).token
        async with connect(node.url, token, events=False) as ann:
            post = partial(ann.post, await ann.direct("bob"), TEXT)
            alone = await one_at_a_time(seconds, post)
            rate = await many_at_a_time(seconds, post)
    return {"socket_posts": rate.per_second, "socket_cpu": rate.cpu_us, **quantiles("socket", alone)}
