"""What was imported: every member is told at once, and again for each batch.

So that not all of them fetch at once, each does so after a time of its own, and once for all batches until then.
"""

from __future__ import annotations

import math
import random

import attrs
import trio

from chatnode.concurrency import Signal
from chatnode.model.events import ConversationImported

SPREAD_SECONDS = 30.0


@attrs.frozen
class _Due:
    at: float
    event: ConversationImported


class Imports:
    """Takes the events as they come, and gives them back when it is time to fetch.

    What is to be fetched is what comes after the newest message that the app holds (`Client.history` with `after`),
    page by page, up to the `head` of the event; and the conversation, if its entry in the inbox is shown.
    """

    def __init__(self, spread_seconds: float = SPREAD_SECONDS) -> None:
        self._spread_seconds = spread_seconds
        self._due: dict[str, _Due] = {}
        self._changed = Signal()

    def note(self, event: ConversationImported) -> None:
        """Something was imported."""
        known = self._due.get(event.conversation)
        at = known.at if known else trio.current_time() + random.uniform(0, self._spread_seconds)
        self._due[event.conversation] = _Due(at, event)
        self._changed.notify()

    async def next(self) -> ConversationImported:
        """The newest event of a conversation, when its time has come."""
        while True:
            first = min(self._due.values(), key=lambda due: due.at, default=None)
            now = trio.current_time()
            if first is not None and first.at <= now:
                return self._due.pop(first.event.conversation).event
            with trio.move_on_at(first.at if first is not None else math.inf):
                await self._changed.wait()
