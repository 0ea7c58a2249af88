"""A trio run in a thread of its own, and the way into it from other threads.

Calls cross by a queue. Only the first of several wakes the trio thread, which then takes all that wait: a wake-up costs
more than everything else. What is promised:

- What one thread hands over begins in its order.
- Every call is answered: with `NodeGone` when the run has ended.
- Cancelling a call ends the waiting at once, and cancels the task that carries it out, if it has one.
- The thread is a daemon and touches no signals. When the interpreter exits, a run that is still there is stopped in
  order. In a child of `os.fork`, which has no such thread, everything raises `NodeGone`.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from contextvars import copy_context
from typing import Any, Protocol, TypeVar, TypeVarTuple, cast

import outcome
import trio

from chatnode.errors import NodeGone
from chatnode.portal.calls import BlockingAnswer, Call, CallFuture, Result, Start, running_future

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
MOST_AT_A_TIME = 256
"""Calls that are begun before other tasks get their turn."""
STOP_SECONDS = 10.0
"""How long the exit of the interpreter waits for a run that is not ready yet."""

logger = logging.getLogger("chatnode.portal")  # clients use portals, and do without chatnode.logs


class Batches(Protocol):
    """Is told when a batch of calls begins and ends, so that the writes of one batch are committed together."""

    def hold(self) -> None: ...
    def hand_over(self) -> None: ...


class Portal:
    """Runs an async function in a thread of its own with `start`; `stop` asks it to end.

    That function makes calls possible within `accepting`, calls `opened` when all is ready, and ends soon after
    `wait_stopping` has returned. `batches`, if it sets that, is told of every batch of calls.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.ready: Future[None] = running_future()
        """Done once `opened` was called; has the exception if the run ended before."""
        self.ended: Future[NodeGone | None] = running_future()
        """Done once the run has ended: with None if it was stopped, else with the reason."""
        self.patience = STOP_SECONDS
        """How many seconds stopping may take."""
        self.batches: Batches | None = None
        self._thread: threading.Thread | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._nursery: trio.Nursery | None = None
        self._stop_asked = False
        self._stopping: trio.Event | None = None
        self._opening: trio.CancelScope | None = None
        self._why_gone: str | None = f"{name} is not there yet"
        self._cause: BaseException | None = None
        self._queue: deque[tuple[Callable[..., object], Callable[..., object], tuple[Any, ...]]] = deque()
        self._woken = False
        self._calls: set[Call] = set()

    # ---- from any thread

    def start(self, main: Callable[[Portal], Awaitable[None]]) -> None:
        """Run `main` in the thread. `ready` says when it is, or what kept it from being so."""
        self._thread = threading.Thread(target=self._run, args=(main,), name=self.name, daemon=True)
        _running.add(self)
        try:
            self._thread.start()
        except RuntimeError:
            _running.discard(self)
            raise

    def stop(self) -> None:
        """Ask the run to end; returns at once. One that is not ready yet is cancelled."""
        self._stop_asked = True
        if self._token is not None:
            self._wake(self._stop)

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to stop, and has not ended yet."""
        return self._stop_asked and not self.ended.done()

    def join(self, seconds: float) -> bool:
        """Wait for the end of the thread; whether it has ended."""
        if self._thread is None:
            return True
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def gone(self) -> NodeGone:
        """What to raise when there is no run."""
        error = NodeGone(self._why_gone or f"{self.name} is being closed")
        error.__cause__ = self._cause
        return error

    def call_soon(self, function: Callable[..., object], *args: Any) -> None:
        """Run a plain function on the trio thread, in the caller's context; it must neither block nor raise.

        Raises `NodeGone`.
        """
        if self._why_gone is not None:
            raise self.gone()
        self._queue.append((copy_context().run, function, args))
        if not self._woken:  # else it was woken, and has not begun to take what is queued
            self._woken = True
            try:
                self._wake(self._take_queued)
            except BaseException:  # KeyboardInterrupt: it may not have been woken, and the next call has to do that
                self._woken = False
                raise

    def hand_over(self, deliver: Callable[[Result], object], start: Start, *args: Any) -> Call:
        """Make a call: `start` begins it on the trio thread, and `deliver` gets its result. Raises `NodeGone`."""
        call = Call(self, deliver)
        self._calls.add(call)
        try:
            self.call_soon(call.begin, start, *args)
        except NodeGone:
            self.forget(call)
            raise
        if self._why_gone is not None and self.forget(call):  # it ended meanwhile, and may have missed this call
            deliver(outcome.Error(self.gone()))
        return call

    def wait(self, start: Start, *args: Any) -> Any:
        """`hand_over`, and block until there is a result. What interrupts that, such as Ctrl-C, cancels the call."""
        answer = BlockingAnswer()
        call = self.hand_over(answer.set_outcome, start, *args)
        try:
            return answer.wait()
        except BaseException:
            call.cancel()
            raise

    def ask(self, start: Start, *args: Any) -> Future[Any]:
        """`hand_over`, with the result in a future. Cancelling that cancels the call."""
        future = CallFuture()
        future.call = self.hand_over(future.set_outcome, start, *args)
        return future

    def submit(self, function: Callable[[*Ts], Awaitable[T]], *args: *Ts) -> Future[T]:
        """Run an async function in a task of the trio run. Cancelling the future cancels that. Raises `NodeGone`."""
        return self.ask(Call.run_in_task, function, *args)

    def forget(self, call: Call) -> bool:
        """Whether the call was still to be answered; then the caller of this answers it."""
        try:
            self._calls.remove(call)
        except KeyError:
            return False
        return True

    # ---- on the trio thread

    @asynccontextmanager
    async def accepting(self) -> AsyncGenerator[None]:
        """Calls can be made. At the end those that a task carries out are cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                self._why_gone = None
                yield
                nursery.cancel_scope.cancel()
        finally:
            self._why_gone = f"{self.name} is being closed"

    def opened(self, patience: float) -> None:
        """All is ready. `patience` is how many seconds stopping may take."""
        self.patience = patience
        if self._opening is not None and not self._opening.cancel_called:
            self._opening = None
            self.ready.set_result(None)

    async def wait_stopping(self) -> None:
        """Until `stop` is called."""
        assert self._stopping is not None
        await self._stopping.wait()

    def start_task(self, function: Callable[..., Awaitable[object]], *args: Any) -> None:
        """Run an async function that does not raise, until the end of `accepting`. Call within a call: the task has the
        context of the caller. Raises `NodeGone`."""
        if self._nursery is None or self._why_gone is not None:
            raise self.gone()
        self._nursery.start_soon(function, *args)

    # ---- the thread

    def _run(self, main: Callable[[Portal], Awaitable[None]]) -> None:
        error: BaseException | None = None
        try:
            trio.run(self._main, main)
        except BaseException as raised:
            error = _single(raised)
        self._end(error)

    async def _main(self, main: Callable[[Portal], Awaitable[None]]) -> None:
        self._stopping = trio.Event()
        with trio.CancelScope() as self._opening:
            self._token = trio.lowlevel.current_trio_token()
            if self._stop_asked:
                self._stop()
            await main(self)

    def _stop(self) -> None:
        assert self._stopping is not None
        self._stopping.set()
        if self._opening is not None:
            self._opening.cancel()

    def _wake(self, function: Callable[[], object]) -> None:
        assert self._token is not None
        with contextlib.suppress(trio.RunFinishedError):  # who waits is answered by `_end`
            self._token.run_sync_soon(function)

    def _take_queued(self) -> None:
        """Run what is queued, but so that other tasks get their turn. What comes from now on wakes the thread again."""
        self._woken = False
        if self.batches is not None:
            self.batches.hold()
        try:
            for _ in range(min(len(self._queue), MOST_AT_A_TIME)):
                run, function, args = self._queue.popleft()
                try:
                    run(function, *args)
                except Exception:
                    logger.exception("a task in the thread of %s failed", self.name)
        finally:
            if self.batches is not None:
                self.batches.hand_over()
        if self._queue and not self._woken:
            self._woken = True
            self._wake(self._take_queued)

    def _end(self, error: BaseException | None) -> None:
        """The run has ended: answer everybody who still waits."""
        _running.discard(self)
        self._cause = error
        self._why_gone = f"{self.name} was closed" if error is None else f"{self.name} ended with an error: {error!r}"
        failed = not self.ready.done()
        if not failed and error is not None:
            logger.critical("the thread of %s ended with an error", self.name, exc_info=error)
        while self._calls:
            with contextlib.suppress(KeyError):  # the task that handed it over has seen the end, too
                self._calls.pop().deliver(outcome.Error(self.gone()))
        self.ended.set_result(self.gone() if error is not None else None)
        if failed:  # last, because a caller that hears of it may start another run at once
            self.ready.set_exception(error or self.gone())

    def in_child(self) -> None:
        """This is a child of `os.fork`, and the thread is in its parent only."""
        self._thread = self._token = None
        self._why_gone = f"{self.name} belongs to the process that this one was forked from; start one after the fork"
        self._calls.clear()
        self._queue.clear()
        self.ended = running_future()
        self.ended.set_result(self.gone())
        if not self.ready.done():
            self.ready.set_exception(self.gone())


def _single(error: BaseException) -> BaseException:
    """The only error of a group, without the groups that nurseries put it in."""
    if isinstance(error, BaseExceptionGroup):
        inner = cast("BaseExceptionGroup[BaseException]", error).exceptions
        if len(inner) == 1:
            return _single(inner[0])
    return cast("BaseException", error)


_running: set[Portal] = set()
"""The portals of this process whose thread runs."""


def _stop_all() -> None:
    """At the exit of the interpreter: after the end of all threads but daemons, as they may need a portal. It needs no
    further thread, as later versions of Python start none any more by then."""
    portals = list(_running)
    for each in portals:
        each.stop()
    for each in portals:
        if not each.join(each.patience):
            logger.error("%s did not stop within %g s", each.name, each.patience)


def _forked() -> None:
    portals = list(_running)
    _running.clear()
    for each in portals:
        each.in_child()


atexit.register(_stop_all)
os.register_at_fork(after_in_child=_forked)
