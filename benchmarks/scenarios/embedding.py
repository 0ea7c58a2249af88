"""A node inside another program: what it costs to call it from asyncio, from threads and over a socket."""

import json
import os
import subprocess
import sys

from benchmarks.errors import BenchmarkError
from benchmarks.scenario import Figures, Metric, Scenario, Trial
from benchmarks.servers import REPOSITORY

WAYS = ("on_trio", "on_asyncio", "on_threads", "on_socket")


def measure(trial: Trial) -> Figures:
    """Each way in a process of its own, on both cores: a program and its node have a thread each."""
    figures: Figures = {}
    for way in WAYS:
        figures |= _run(trial, way)
    figures["share"] = figures["aio_posts"] / figures["trio_posts"] * 100
    figures["crossing_cpu"] = figures["aio_cpu"] - figures["trio_cpu"]
    return figures


def _run(trial: Trial, way: str) -> Figures:
    done = subprocess.run(
        [
            "taskset",
            "--cpu-list",
            f"{trial.cores.server},{trial.cores.others}",
            sys.executable,
            "-m",
            "benchmarks.embedding",
            way,
            str(trial.directory / way),
            str(trial.size.seconds / 2),
        ],
        cwd=REPOSITORY,
        env=os.environ | trial.settings,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BenchmarkError(f"{way}: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


EMBEDDING = Scenario(
    name="embedding",
    title="A node inside a program: posts and events, 100 calls at a time",
    rounds=5,
    metrics=(
        Metric("empty_p50", "asyncio: a call that does nothing, p50 ms", 3, at_most=0.1),
        Metric("empty_calls", "asyncio: such calls/s, 100 at a time", at_least=100_000),
        Metric("empty_cpu", "CPU of one of these, µs", 1, at_most=25),
        Metric("trio_posts", "trio itself: posts/s"),
        Metric("aio_posts", "asyncio: posts/s"),
        Metric("share", "asyncio, % of trio itself", at_least=65),
        Metric("crossing_cpu", "CPU of crossing for a post, µs", 1, at_most=25),
        Metric("threads_posts", "32 threads: posts/s"),
        Metric("socket_posts", "socket client for asyncio: posts/s"),
        Metric("trio_p50", "trio itself: a post alone, p50 ms", 2),
        Metric("aio_p50", "asyncio: a post alone, p50 ms", 2),
        Metric("aio_p99", "asyncio: a post alone, p99 ms", 2, at_most=1),
        Metric("threads_p50", "threads: a post alone, p50 ms", 2),
        Metric("socket_p50", "socket client: a post alone, p50 ms", 2),
        Metric("events", "events/s to 10 asyncio iterators, posts included"),
        Metric("crossing_events", "events/s that cross to one", at_least=50_000),
        Metric("first_start", "first start, with imports, s", 2, at_most=0.6),
        Metric("second_start", "second start in the process, s", 2),
        Metric("stop", "stop when idle, s", 2, at_most=0.3),
    ),
    measure=measure,
    only_the_node=True,
)
