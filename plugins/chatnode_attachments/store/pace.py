"""Uploads go as fast as they can while nobody writes, and make room for those who do."""

from __future__ import annotations

from collections.abc import Callable

import trio

REST = 3.0
"""How long an upload rests for each second of work while others write: it then takes a quarter of what there is."""


class Pace:
    """The pace of one request. `commits` grows while users write."""

    def __init__(self, commits: Callable[[], int]) -> None:
        self._commits = commits
        self._seen = commits()
        self._began = trio.current_time()

    async def rest(self) -> None:
        """After a step of work: rest if somebody wrote during it."""
        if self._commits() != self._seen:
            await trio.sleep(REST * (trio.current_time() - self._began))
        self._seen, self._began = self._commits(), trio.current_time()
