"""Ends functions of plugins that go on although they were cancelled, which would keep the node from stopping.

`except:` and `except BaseException:` catch `trio.Cancelled` too. In a loop, that makes a function without an end.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio

from chatnode.hooks.steps import in_steps

END_SECONDS = 3.0
"""How long a function may go on after it was cancelled, to clean up."""
AGAIN_SECONDS = 0.1
_MOST_RAISED = 5


class Stop:
    """Says of tasks in one nursery whether they were cancelled: `wait` is cancelled with them."""

    def __init__(self) -> None:
        self._called = False

    async def wait(self) -> None:
        """Until cancelled."""
        self._called = False
        try:
            await trio.sleep_forever()
        finally:
            self._called = True

    def was_called(self) -> bool:
        return self._called


class Unwilling(BaseException):
    """Raised in a function that has gone on for too long since it was cancelled."""


class _Abandoned(BaseException):
    """It is not continued."""


async def run_cancellable(
    function: Callable[[], Awaitable[Any]], is_cancelled: Callable[[], bool], report: Callable[[str], None]
) -> Any:
    """What the function returns. Once `is_cancelled`, which says whether the caller is, the function has `END_SECONDS`
    to end: then `Unwilling` is raised in it, and if it catches even that, it is not continued. That is reported.

    A function that waits shielded, or for tasks that it has started, cannot be ended so.
    """
    ending = _Ending(is_cancelled)
    try:
        with trio.CancelScope():  # which trio finds in disorder if the function is left in the middle of its own
            try:
                return await in_steps(function(), ending.take_step)
            except BaseException:
                if not ending.raised:
                    raise
    except RuntimeError:
        if not ending.abandoned:
            raise
    report(f"went on for {END_SECONDS:g} s after it was cancelled, and was ended: it must not catch trio.Cancelled")
    await trio.lowlevel.checkpoint()


class _Ending:
    def __init__(self, is_cancelled: Callable[[], bool]) -> None:
        self._is_cancelled = is_cancelled
        self._nurseries = len(trio.lowlevel.current_task().child_nurseries)
        self._due_at: float | None = None
        self.raised = 0
        self.abandoned = False

    def take_step(self, go_on: Callable[[], Any], throw: Callable[[BaseException], Any]) -> Any:
        if not self._is_due():
            return go_on()
        if self.raised < _MOST_RAISED or len(trio.lowlevel.current_task().child_nurseries) > self._nurseries:
            self.raised += 1
            return throw(Unwilling())
        self.abandoned = True
        _keep_for_ever(go_on)
        raise _Abandoned

    def _is_due(self) -> bool:
        if not self._is_cancelled():
            return False
        now = trio.current_time()
        if self._due_at is None:
            self._due_at = now + END_SECONDS
        if now < self._due_at:
            return False
        self._due_at = now + AGAIN_SECONDS
        return True


def _keep_for_ever(abandoned: object) -> None:
    """Freeing a function that was left in the middle would continue it, also at the end of the process, which might
    then have none."""
    import ctypes  # seldom needed

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(abandoned))
