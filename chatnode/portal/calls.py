"""One call into a trio run: begun on the trio thread, answered once, cancelled from wherever it was made."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any, Protocol, cast

import outcome
import trio

from chatnode.concurrency import READ_ALREADY
from chatnode.errors import NodeGone

Result = outcome.Outcome[Any]
Start = Callable[..., object]
"""Begins to carry out a call, on the trio thread. Gets the `Call`, which it answers, now or later, and arguments. Must
not block; what it raises is the answer."""


class _Carrier(Protocol):
    """What a call is made through: a portal."""

    def call_soon(self, function: Callable[..., object], *args: Any) -> None: ...
    def start_task(self, function: Callable[..., Awaitable[object]], *args: Any) -> None: ...
    def forget(self, call: Call) -> bool: ...


class Call:
    """A call on its way. `deliver` hands the result to who waits: it is called in any thread, and must not raise."""

    __slots__ = ("_portal", "_scope", "deliver")

    def __init__(self, portal: _Carrier, deliver: Callable[[Result], object]) -> None:
        self._portal = portal
        self._scope: trio.CancelScope | None = None
        self.deliver = deliver

    def begin(self, start: Start, *args: Any) -> None:
        """On the trio thread."""
        try:
            start(self, *args)
        except BaseException as error:
            self.answer(outcome.Error(error))

    def answer(self, result: Result) -> None:
        """On the trio thread. Only the first answer counts."""
        if self._portal.forget(self):
            self.deliver(result)

    def run_in_task(self, function: Callable[..., Awaitable[Any]], *args: Any) -> None:
        """A `Start`: answer with what an async function returns or raises, in a task that `cancel` cancels."""
        self._scope = trio.CancelScope()
        self._portal.start_task(self._run, self._scope, function, args)

    async def _run(
        self, scope: trio.CancelScope, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...]
    ) -> None:
        """What the function raises is the caller's, and must not end the run: also KeyboardInterrupt, GeneratorExit or
        asyncio's CancelledError. If it is not the scope that is cancelled, the run is ending, and will answer with its
        reason."""
        result: Result = outcome.Value(None)  # if the scope is cancelled, which nobody waits for
        try:
            with scope:
                result = outcome.Value(await function(*args))
        except BaseException as error:
            if _is_cancelled(error):
                raise
            result = outcome.Error(error)
        self.answer(result)

    def cancel(self) -> None:
        """Nobody waits any more. From any thread, once the call was handed over."""
        with contextlib.suppress(NodeGone):
            self._portal.call_soon(self._cancel)

    def _cancel(self) -> None:
        if self._scope is not None:
            self._scope.cancel()


def _is_cancelled(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return cast("BaseExceptionGroup[BaseException]", error).subgroup(trio.Cancelled) is not None
    return isinstance(error, trio.Cancelled)


class BlockingAnswer:
    """The result of a call, for the one thread that waits for it.

    KeyboardInterrupt in the middle of waiting leaves nothing locked that `set_outcome` needs, as it could with a
    future: its lock is held while it is looked at, and who sets the outcome would wait for it forever.
    """

    __slots__ = ("_result", "_there")

    def __init__(self) -> None:
        self._result: Result | None = None
        self._there = threading.Lock()
        self._there.acquire()

    def set_outcome(self, result: Result) -> None:
        """Once, in any thread."""
        self._result = result
        self._there.release()

    def wait(self) -> Any:
        """The result, or raises it."""
        self._there.acquire()
        assert self._result is not None
        return self._result.unwrap()


class OneThread:
    """A block for one thread at a time: a second one gets an error at once. An interrupt leaves nothing locked for the
    thread that it came to."""

    __slots__ = ("_holder",)

    def __init__(self) -> None:
        self._holder: dict[str, int] = {}

    def __enter__(self) -> None:
        me = threading.get_ident()
        if self._holder.setdefault("thread", me) != me:  # in one step, between threads
            raise RuntimeError(READ_ALREADY)

    def __exit__(self, *_: object) -> None:
        self._holder.clear()


class CallFuture(Future[Any]):
    """The result of a call, for threads that wait for several, or may cancel it."""

    call: Call | None = None

    def set_outcome(self, result: Result) -> None:
        if self.set_running_or_notify_cancel():
            if isinstance(result, outcome.Error):
                self.set_exception(result.error)
            else:
                self.set_result(result.unwrap())

    def cancel(self) -> bool:
        cancelled = super().cancel()
        if cancelled and self.call is not None:
            self.call.cancel()
        return cancelled


def at_once(call: Call, function: Callable[..., object], *args: Any) -> None:
    """A `Start`: answer with what a plain function returns or raises."""
    call.answer(outcome.capture(function, *args))


def running_future() -> Future[Any]:
    """One that nobody who waits for it can cancel."""
    future = Future[Any]()
    future.set_running_or_notify_cancel()
    return future
