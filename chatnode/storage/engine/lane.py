"""The low-priority lane of the writer: bulk work in slices, so small and so far apart that no other write waits long.

A slice is a write of its own. While others write, it runs at the end of a group whose writes are already done, or in a
group of its own when none wait; so a write waits for one slice at most. The lane then rests in proportion to the time
that the slice took: that leaves most of the writer to the others, and a share to the lane, however many others there
are. While nobody else writes, slices follow each other without a rest, and may be longer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any, TypeVar

from chatnode.storage.engine.group import QueuedCall

T = TypeVar("T")

BUSY_SECONDS = 0.25
"""For this long after a write in the ordinary lane, others count as writing."""
BUSY_SLICE_SECONDS = 0.002
"""How long a slice may take while others write, apart from the commit."""
QUIET_SLICE_SECONDS = 0.05
"""The same while nobody does: the first write after a pause waits for a slice of this length at most."""
REST = 2.0
"""How many times as long as the last slice the lane rests while others write."""
BUSY_CHECKPOINT_SECONDS = 0.04
"""After slices of this length in total, checkpoint: one checkpoint at the end would delay other writes for long."""
QUIET_CHECKPOINT_SECONDS = 0.25
"""The same while nobody else writes: fewer checkpoints write less."""


class LowLane:
    """The slices that wait, and when the next one is due. `put` is called on the trio thread, all else in the writer's.

    That needs no lock: each side only appends or takes, and each attribute is written by one of them.
    """

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self._waiting: deque[QueuedCall[Any]] = deque()
        self._ordinary_at = -BUSY_SECONDS
        self._rest_until = 0.0
        self._since_checkpoint = 0.0
        self.slices = 0
        self.seconds = 0.0
        """How many slices there were, and how long they took, with commits of their own."""

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, job: QueuedCall[Any]) -> None:
        self._waiting.append(job)

    def quiet_seconds(self) -> float:
        """How long ago the last ordinary write was."""
        return self._clock() - self._ordinary_at

    def others_write(self) -> bool:
        """Whether there was an ordinary write a moment ago."""
        return self.quiet_seconds() < BUSY_SECONDS

    def slice_seconds(self) -> float:
        """How long a slice may take now."""
        return BUSY_SLICE_SECONDS if self.others_write() else QUIET_SLICE_SECONDS

    def due_in(self) -> float | None:
        """Seconds until the next slice may run; None if none waits."""
        if not self._waiting:
            return None
        return max(0.0, self._rest_until - self._clock()) if self.others_write() else 0.0

    def take(self) -> QueuedCall[Any] | None:
        """The next slice, if it is due."""
        return self._waiting.popleft() if self.due_in() == 0.0 else None

    def take_all(self) -> list[QueuedCall[Any]]:
        """Every slice that waits, as the database closes."""
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

    def wrote_ordinary(self) -> None:
        """A group had writes that are not of this lane."""
        self._ordinary_at = self._clock()

    def took(self, seconds: float) -> bool:
        """A slice has run; returns whether a checkpoint is due."""
        self.slices += 1
        self.seconds += seconds
        self._rest_until = self._clock() + REST * seconds
        self._since_checkpoint += seconds
        most = BUSY_CHECKPOINT_SECONDS if self.others_write() else QUIET_CHECKPOINT_SECONDS
        if self._since_checkpoint < most:
            return False
        self._since_checkpoint = 0.0
        return True


def timed(function: Callable[..., T], *arguments: Any) -> tuple[T, float]:
    """What the function returned, and how many seconds it took."""
    began = perf_counter()
    return function(*arguments), perf_counter() - began
