"""Threads that block, with the node in a thread of its own."""

import threading
import time
from pathlib import Path

from benchmarks.embedding.load import CONFIG, TEXT, Meter, quantiles
from benchmarks.scenario import Figures
from chatnode.embed.threads import Node

THREADS = 32


def measure(data: Path, seconds: float, began: float) -> Figures:
    with Node(data, config=CONFIG) as node:
        for handle in ("ann", "bob"):
            node.operator.people.create(handle=handle)
        ann = node.person("ann")
        talk = ann.conversations.direct(with_="bob").conversation

        def post() -> None:
            ann.messages.post(conversation=talk, text=TEXT)

        times: list[float] = []
        end = time.perf_counter() + seconds
        while (begin := time.perf_counter()) < end:
            post()
            times.append((time.perf_counter() - begin) * 1000)
        meter, counts = Meter(seconds), list[int]()
        meter.start()

        def work() -> None:
            count = 0
            while meter.running:
                post()
                count += 1
            counts.append(count)

        threads = [threading.Thread(target=work) for _ in range(THREADS)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        rate = meter.rate(sum(counts))
    return {"threads_posts": rate.per_second, "threads_cpu": rate.cpu_us, **quantiles("threads", sorted(times))}
