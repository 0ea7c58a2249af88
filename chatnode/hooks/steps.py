"""Awaits a plugin's function step by step, from one `await` that waits to the next."""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from typing import Any

TakeStep = Callable[[Callable[[], Any], Callable[[BaseException], Any]], Any]
"""Gets what goes on with the function, and what does so with an error raised in it; calls one of them, and returns what
that does."""


@types.coroutine
def in_steps(awaited: Awaitable[Any], take: TakeStep) -> Generator[Any, Any, Any]:
    """Its result; each step is taken by `take`."""
    steps = awaited.__await__()
    go_on = partial(steps.send, None)
    while True:
        try:
            waits_for = take(go_on, steps.throw)
        except StopIteration as end:
            return end.value
        try:
            go_on = partial(steps.send, (yield waits_for))
        except BaseException as error:  # for the function to handle, as if it waited itself
            go_on = partial(steps.throw, error)
