"""Returning memory to the system after a busy time, once the node is idle.

The caches of SQLite's connections never shrink on their own, and the C library keeps freed memory for each thread. An
idle node needs neither.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable

import trio

from chatnode.dispatch.core import Core
from chatnode.dispatch.jobs import Job
from chatnode.dispatch.subject import Subject
from chatnode.storage.engine.connection import shrink

EVERY_SECONDS = 60.0
IDLE_REQUESTS = 30
"""With at most this many requests since the last run, the node is idle."""


async def rest(core: Core) -> None:
    """Return memory if there were few requests since the last run, and some since memory was last returned."""
    requests = sum(core.metrics.requests.values())
    idle = requests - core.requests_at_last_look <= IDLE_REQUESTS
    core.requests_at_last_look = requests
    if idle and requests != core.requests_at_rest:
        await give_back(core)
        core.requests_at_rest = requests


async def give_back(core: Core) -> None:
    """Empty the caches of the database's connections, collect cycles, and return freed memory to the system."""
    await core.db.maintain(shrink)
    await core.db.for_each_reader(shrink)
    gc.collect()
    if (trim := _trim()) is not None:
        await trio.to_thread.run_sync(trim, 0)


def limit_arenas(most: int = 2) -> None:
    """Limit the number of malloc arenas that threads share, instead of one per thread. Call before starting threads.
    No effect if the C library is not GNU's.
    """
    _M_ARENA_MAX = -8
    if (mallopt := getattr(_libc(), "mallopt", None)) is not None:
        mallopt(_M_ARENA_MAX, most)


def _trim() -> Callable[[int], int] | None:
    return getattr(_libc(), "malloc_trim", None)


def _libc() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(None)
    except (OSError, TypeError):
        return None


SUBJECT = Subject(jobs=(Job("memory", EVERY_SECONDS, rest, lane="memory"),))
