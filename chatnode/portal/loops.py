"""The way into a portal from asyncio: any number of loops, each in its own thread.

Answers go back as calls come in: a queue for each loop, and one wake-up for many.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar, TypeVarTuple

import outcome
import trio

from chatnode.portal.calls import Call, Result, Start
from chatnode.portal.thread import Portal

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
LOOK_SECONDS = 1.0
"""How often it is looked whether a loop that is waited for was closed: it tells nobody."""


class LoopQueue:
    """Functions on their way to the thread of one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._queue: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._woken = False

    def call_soon(self, function: Callable[..., object], *args: Any) -> None:
        """From any thread: run a plain function in the loop's thread; nothing happens if the loop is closed."""
        self._queue.append((function, args))
        if not self._woken:  # else it was woken, and has not begun to take what is queued
            self._wake()

    async def run(self, function: Callable[[*Ts], Coroutine[Any, Any, T]], *args: *Ts) -> T:
        """On a trio thread: run an async function in the loop, and wait for its result. Cancelling cancels it there.

        Raises `RuntimeError` if the loop is closed, before or meanwhile, or its task was cancelled there.
        """
        token, ended, tasks = trio.lowlevel.current_trio_token(), trio.Event(), list[asyncio.Task[T]]()

        def tell(_: object) -> None:
            with contextlib.suppress(trio.RunFinishedError):
                token.run_sync_soon(ended.set)

        def begin() -> None:
            tasks.append(self.loop.create_task(function(*args)))
            tasks[0].add_done_callback(tell)

        self.call_soon(begin)
        try:
            while not ended.is_set():
                if self.loop.is_closed():
                    raise RuntimeError("the event loop is closed")
                with trio.move_on_after(LOOK_SECONDS):
                    await ended.wait()
        except trio.Cancelled:
            self.call_soon(lambda: tasks[0].cancel())
            raise
        if tasks[0].cancelled():
            raise RuntimeError("the task was cancelled in its event loop")
        return tasks[0].result()

    def _wake(self) -> None:
        self._woken = True
        try:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits in it
                self.loop.call_soon_threadsafe(self._take_queued)
        except BaseException:  # KeyboardInterrupt: it may not have been woken
            self._woken = False
            raise

    def _take_queued(self) -> None:
        self._woken = False
        try:
            for _ in range(len(self._queue)):
                function, args = self._queue.popleft()
                try:
                    function(*args)
                except Exception as error:
                    self.loop.call_exception_handler({"message": "a callback of chatnode failed", "exception": error})
        except BaseException:  # KeyboardInterrupt: the loop may run again
            self._wake()
            raise


class LoopPortal:
    """A portal for asyncio. Every method but `queue` raises `NodeGone`."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        self._queues: dict[asyncio.AbstractEventLoop, LoopQueue] = {}

    def queue(self) -> LoopQueue:
        """The way back into the running loop."""
        loop = running_loop()
        queue = self._queues.get(loop)
        if queue is None:
            for each in list(self._queues):
                if each.is_closed():
                    self._queues.pop(each, None)
            queue = self._queues.setdefault(loop, LoopQueue(loop))
        return queue

    async def ask(self, start: Start, *args: Any) -> Any:
        """Make a call (`Portal.hand_over`) and wait for its result. Cancelling ends the waiting at once."""
        queue = self.queue()
        future: asyncio.Future[Any] = queue.loop.create_future()
        call = self.portal.hand_over(lambda result: queue.call_soon(_set_outcome, future, result), start, *args)
        try:
            return await future
        except asyncio.CancelledError:
            call.cancel()
            raise

    async def run(self, function: Callable[[*Ts], Awaitable[T]], *args: *Ts) -> T:
        """Run an async function in a task of the trio run. Cancelling cancels that task, and does not wait for it."""
        return await self.ask(Call.run_in_task, function, *args)


def running_loop() -> asyncio.AbstractEventLoop:
    """Raises `RuntimeError` where no event loop of asyncio runs, such as on trio."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "this works on asyncio, and no event loop of asyncio runs here; on trio use chatnode.open_node, "
            "or chatnode.client for a node elsewhere"
        ) from None


async def wait_for(future: Future[T]) -> T:
    """The result of a future of threads that cannot be cancelled; cancelling ends the waiting only."""
    return await asyncio.wrap_future(future)


def _set_outcome(future: asyncio.Future[Any], result: Result) -> None:
    if future.done():
        return  # cancelled: nobody waits any more
    if not isinstance(result, outcome.Error):
        future.set_result(result.unwrap())
    elif isinstance(result.error, StopIteration):  # no future takes it
        future.set_exception(RuntimeError("the function raised StopIteration"))
    else:
        future.set_exception(result.error)
