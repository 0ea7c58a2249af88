"""The work, which is the same for every way, and how it is timed."""

import json
import sys
import time
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Protocol

from attrs import asdict, define

SCHEMA = (
    "CREATE TABLE bench_conversations (id INTEGER PRIMARY KEY, head INTEGER NOT NULL)",
    "CREATE TABLE bench_messages (key INTEGER PRIMARY KEY, conversation INTEGER NOT NULL, seq INTEGER NOT NULL, "
    "text TEXT NOT NULL, at REAL NOT NULL, UNIQUE (conversation, seq))",
    "CREATE TABLE bench_log (gid INTEGER PRIMARY KEY, conversation INTEGER NOT NULL, seq INTEGER NOT NULL)",
    "INSERT INTO bench_conversations VALUES (1, 0)",
)
NUMBER = "UPDATE bench_conversations SET head = head + 1 WHERE id = 1 RETURNING head"
STORE = "INSERT INTO bench_messages (conversation, seq, text, at) VALUES (1, ?, ?, ?)"
NOTE = "INSERT INTO bench_log (conversation, seq) VALUES (1, ?)"
READ = "SELECT seq, text, at FROM bench_messages WHERE conversation = 1 AND seq = ?"
COUNT = "SELECT count(*) FROM bench_messages"
TEXT = "x" * 80  # as long as the messages of the load generator


class Way(Protocol):
    """One way to the database."""

    async def post(self) -> None:
        """Store a message; returns when it is on disk."""

    async def read(self, seq: int) -> None:
        """Find a message."""

    async def together(self, work: Callable[[], Awaitable[None]], times: int) -> None:
        """Do the same so many times at once, in tasks of this way's loop."""


@define
class Turn:
    """What was done in a turn: how often, for how many seconds, of them of CPU, and how many milliseconds each took."""

    count: int
    wall: float
    cpu: float
    p50: float
    p99: float


async def take_turns(way: Way) -> int:
    """Do what the lines of the standard input say; returns how many posts were acknowledged in all."""
    posted = 0

    async def post() -> None:
        nonlocal posted
        await way.post()
        posted += 1

    numbers = count(1)

    async def read() -> None:
        await way.read(next(numbers) * 7919 % posted + 1)

    work = {"post": post, "read": read}
    for line in sys.stdin:
        what, times, seconds = json.loads(line)
        print(json.dumps(asdict(await _turn(way, work[what], times, seconds))), flush=True)
    return posted


async def _turn(way: Way, work: Callable[[], Awaitable[None]], times: int, seconds: float) -> Turn:
    taken: list[float] = []
    begin, cpu = time.perf_counter(), time.process_time()
    end = begin + seconds

    async def repeat() -> None:
        now = time.perf_counter()
        while now < end:
            await work()
            before, now = now, time.perf_counter()
            taken.append(now - before)

    await way.together(repeat, times)
    wall, cpu = time.perf_counter() - begin, time.process_time() - cpu
    taken.sort()
    count = len(taken)
    return Turn(count, wall, cpu, taken[count // 2] * 1e3, taken[count * 99 // 100] * 1e3)
