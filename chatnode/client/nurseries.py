"""Two small things that trio leaves to its users."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, TypeVar

import trio

T = TypeVar("T")


def raise_single(group: BaseExceptionGroup[Any]) -> NoReturn:
    """Raise the only error of a nursery's group as itself, however many tasks met it, else the group.

    So `except Refusal` around `async with connect(…)` works as if there were no nursery.
    """
    one = len({id(error) for error in group.exceptions}) == 1
    error: BaseException = group.exceptions[0] if one else group
    context = error.__context__
    try:
        raise error
    finally:
        error.__context__ = context  # raised here, it would show the group that it was taken out of


async def first_of(*functions: Callable[[], Awaitable[T]]) -> T:
    """Run all of them; the result of the first that returns, the others are cancelled."""
    results: list[T] = []

    async def run(function: Callable[[], Awaitable[T]]) -> None:
        results.append(await function())
        nursery.cancel_scope.cancel()

    try:
        async with trio.open_nursery() as nursery:
            for function in functions:
                nursery.start_soon(run, function)
    except BaseExceptionGroup as group:
        raise_single(group)
    return results[0]


class Signal:
    """Wakes everybody who waits for it, each time that it is given. To be waited for in a loop that looks
    whether what was wanted has come."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def give(self) -> None:
        """Sync; never checkpoints."""
        self._event.set()
        self._event = trio.Event()

    async def wait(self) -> None:
        await self._event.wait()
