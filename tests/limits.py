"""A time limit for each test: one that hangs ends its process with the stacks of all threads, and is named.

A test cannot be cut in every case, since what hangs may be a thread in SQLite; so the process ends, which xdist reports
as a failure of that test, and starts another.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Generator

import pytest

FAST_SECONDS, SLOW_SECONDS = 120.0, 900.0
"""Far above what any takes on a slow machine with others at work beside it."""

_STATUS = 70


def seconds_for(item: pytest.Item) -> float:
    """`@pytest.mark.limit(seconds)` names another limit."""
    own = item.get_closest_marker("limit")
    if own is not None:
        return float(own.args[0])
    return SLOW_SECONDS if item.get_closest_marker("slow") else FAST_SECONDS


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    watch = threading.Timer(seconds_for(item), _end, [item.nodeid, time.monotonic()])
    watch.daemon = True
    watch.start()
    try:
        return (yield)
    finally:
        watch.cancel()


def _end(test: str, began: float) -> None:
    """Written past what captures output: to the standard error that the process was started with."""
    with os.fdopen(os.dup(_stderr), "w") as out:
        out.write(f"\n{test} took more than {time.monotonic() - began:.0f} s\n")
        out.flush()
        faulthandler.dump_traceback(file=out, all_threads=True)
    os._exit(_STATUS)


_stderr = os.dup(sys.__stderr__.fileno() if sys.__stderr__ is not None else 2)
