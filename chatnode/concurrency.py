"""Small things that trio leaves to its users."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, TypeVar

import trio

T = TypeVar("T")

READ_ALREADY = "another task or thread is waiting for the next item of this iterator; let one reader hand items over"


class Signal:
    """Wakes every task that waits for it, each time it is notified.

    Wait for it in a loop that checks whether what was wanted has come: a signal notified before `wait` is called is
    missed.
    """

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = trio.Event()

    def notify(self) -> None:
        """Sync; never checkpoints."""
        if self._event.statistics().tasks_waiting:
            self._event.set()
            self._event = trio.Event()

    async def wait(self) -> None:
        """Until the signal is notified."""
        await self._event.wait()


class OneReader:
    """A block for one task at a time: a second one gets an error at once, as with Python's generators."""

    __slots__ = ("_reading",)

    def __init__(self) -> None:
        self._reading = False

    def __enter__(self) -> None:
        if self._reading:
            raise RuntimeError(READ_ALREADY)
        self._reading = True

    def __exit__(self, *_: object) -> None:
        self._reading = False


def require_trio(instead: str) -> None:
    """Raises `RuntimeError` where no trio run is, such as in a program of asyncio, which is to use `instead`."""
    if not trio.lowlevel.in_trio_run():
        raise RuntimeError(f"this works on trio, and no trio run is here; in asyncio use {instead}")


class Backoff:
    """Doubling waits, each between half and all of its length, so that what failed together does not retry together.

    `first` and `most` are seconds. The waits start over once something has run well for `steady` seconds: call
    `running` when it starts to.
    """

    __slots__ = ("_first", "_most", "_running_since", "_steady", "_tries")

    def __init__(self, *, first: float = 0.25, most: float = 60.0, steady: float = 30.0) -> None:
        self._first = first
        self._most = most
        self._steady = steady
        self._tries = 0
        self._running_since: float | None = None

    def running(self) -> None:
        """Something started, or a connection was made."""
        self._running_since = trio.current_time()

    def reset(self) -> None:
        """It went well: the next wait is the first again."""
        self._tries = 0

    def next_wait(self, least: float = 0.0) -> float:
        """Seconds to wait now; not less than `least`."""
        since, self._running_since = self._running_since, None
        if since is not None and trio.current_time() - since >= self._steady:
            self._tries = 0
        longest = min(self._most, self._first * 2.0 ** min(self._tries, 20))
        self._tries += 1
        return max(least, longest * random.uniform(0.5, 1.0))


async def behind_barrier(
    run: Callable[[], Awaitable[object]],
    failed: Callable[[BaseException], None] = lambda error: None,
    failures: tuple[type[BaseException], ...] = (Exception, SystemExit),
) -> BaseException | None:
    """Run to the end; gives what it raised, if that is one of `failures`, after `failed` was called with it.

    Cancellation is let through, also out of a group in which something else was raised beside it: then only `failed`
    learns of that.
    """
    try:
        await run()
    except BaseExceptionGroup as group:
        faults, rest = group.split(failures)
        if faults is not None:
            failed(faults)
        if rest is not None:
            raise rest from None
        return faults
    except failures as error:
        failed(error)
        return error
    return None


async def shielded(function: Callable[[], Awaitable[T]]) -> T:
    """Its result: it runs to its end, also when the caller is cancelled meanwhile."""
    with trio.CancelScope(shield=True) as scope:
        return await function()
    raise AssertionError(scope)  # nobody cancels it


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
