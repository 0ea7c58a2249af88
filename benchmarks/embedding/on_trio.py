"""trio itself: the program and the node share a run, and nothing crosses."""

from functools import partial
from pathlib import Path

import trio

from benchmarks.embedding.load import AT_A_TIME, CONFIG, TEXT, Meter, one_at_a_time, quantiles
from benchmarks.scenario import Figures
from chatnode.embed import open_node


def measure(data: Path, seconds: float, began: float) -> Figures:
    return trio.run(_measure, data, seconds)


async def _measure(data: Path, seconds: float) -> Figures:
    async with open_node(data, CONFIG) as node, trio.open_nursery() as serving:
        await serving.start(node.run)
        for handle in ("ann", "bob"):
            await node.operator.people.create(handle=handle)
        ann = node.person("ann")
        talk = (await ann.conversations.direct(with_="bob")).conversation
        post = partial(ann.messages.post, conversation=talk, text=TEXT)
        alone = await one_at_a_time(seconds, post)
        meter = Meter(seconds)
        meter.start()
        async with trio.open_nursery() as nursery:
            for _ in range(AT_A_TIME):
                nursery.start_soon(meter.repeat, post)
        rate = meter.rate()
        serving.cancel_scope.cancel()
    return {"trio_posts": rate.per_second, "trio_cpu": rate.cpu_us, **quantiles("trio", alone)}
