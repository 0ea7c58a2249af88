"""What becomes of invocations that nobody answers, and of old ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import inf

import trio

from chatnode.dispatch.core import Core
from chatnode.dispatch.jobs import Job
from chatnode.dispatch.limits import KeyedLocks
from chatnode.dispatch.subject import Subject
from chatnode.errors import Refusal
from chatnode.logs import get_logger
from chatnode.model.times import HOUR_MS, now_ms
from chatnode.storage.bots import invocations, notices
from chatnode.storage.engine.connection import DatabaseError
from chatnode.storage.engine.steps import Steps
from chatnode.storage.engine.transaction import Transaction

logger = get_logger("bots")

HOUR = 3_600
STEP = 500
MOST_TOLD = 100
"""Maximum number of users who are told in one transaction that there is no answer."""
LOOK_SECONDS = 60.0
"""After this time it looks again when the next one is due, as the clock may have been set."""
HELD_UP_SECONDS = 5.0
"""How long it waits when something that passes was in the way, such as a full disk."""


class Invocations:
    """Tells users when the bot that they asked does not answer. `running` are the commands that plugins carry out now,
    by id, so that a repeat waits for its answer."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._woken = trio.Event()
        self.running = KeyedLocks()

    def wake(self) -> None:
        """A bot was asked."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._woken = trio.Event()
            try:
                wait = await self.tell_overdue()
            except (Refusal, DatabaseError) as error:
                logger.warning("users were not notified of missing answers: %s", error)
                wait = HELD_UP_SECONDS
            with trio.move_on_after(wait):
                await self._woken.wait()

    async def tell_overdue(self, ahead_seconds: float = 0.0) -> float:
        """Notify the users whose answer is overdue, or will be within `ahead_seconds`. Returns the seconds until the
        next answer may be overdue."""
        db, now = self._core.db, now_ms() + int(ahead_seconds * 1_000)
        while True:
            due = await db.read(invocations.next_due)
            if due is None:
                return inf
            if due > now:
                return min((due - now) / 1_000, LOOK_SECONDS)
            await db.write(partial(invocations.tell_overdue, now=now, most=MOST_TOLD))


async def remove_old(core: Core) -> str | None:
    """Remove invocations and private answers that are older than `bots.keep_hours`."""
    before, removed, steps = now_ms() - core.config.bots.keep_hours * HOUR_MS, 0, Steps(core.db, STEP)
    for remove in (invocations.remove_old, notices.remove_old):

        def step(tx: Transaction, most: int, remove: Callable[[Transaction, int, int], int] = remove) -> int:
            return remove(tx, before, most)

        while count := await steps.write(step, int):
            removed += count
    return f"{removed} removed" if removed else None


SUBJECT = Subject(
    events=(*invocations.EVENTS, *notices.EVENTS),
    tables=(*invocations.TABLES, *notices.TABLES),
    jobs=(Job("old invocations", HOUR, remove_old),),
)
