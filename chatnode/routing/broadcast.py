"""Broadcasting ephemeral events: presence and typing.

Such a push goes only to sessions that are live, want it and are not behind. No session has to wait for it, or is closed
because it is too slow for it.
"""

from __future__ import annotations

from collections.abc import Iterable

import trio

from chatnode.protocol.envelopes import Push
from chatnode.routing.sessions import LivePerson, OpenSession, SessionRegistry
from chatnode.storage.presence.presence import PresenceAudience

PUSHES_A_STEP = 20
"""Number of sessions after which other tasks get a turn."""
PAUSE_SECONDS = 0.002
"""Seconds after which other tasks get a turn, because messages take precedence over presence."""


class Broadcaster:
    """Finds live sessions and pushes to them. `behind` are sessions that were left out because they are behind."""

    def __init__(self, registry: SessionRegistry, most_audience: int) -> None:
        self._registry = registry
        self._most_audience = most_audience
        self._step: dict[OpenSession, None] = {}
        self.behind: dict[OpenSession, None] = {}

    def audience(self, circle: PresenceAudience) -> Iterable[LivePerson]:
        """The connected members of the conversations, except large ones, without blocked users."""
        found: dict[int, LivePerson] = {}
        for conversation in circle.conversations:
            hearing = self._registry.hearing_by_key(conversation)
            if len(hearing) <= self._most_audience:
                found.update(hearing)
        if not circle.blocked:
            return found.values()
        return [live for live in found.values() if live.ref.id not in circle.blocked]

    def push(self, live: LivePerson, push: Push) -> int:
        """Queue a push for a user's sessions until the next `flush`. Returns the number of sessions."""
        count = 0
        for session in tuple(live.sessions):  # one that is ended takes itself out
            if not session.wants_presence or session.catching_up:
                continue
            if session.behind:
                self.behind[session] = None
                continue
            with self._registry.contained(session):
                session.push(push)
                self._step[session] = None
                count += 1
        return count

    def flush_now(self) -> None:
        step, self._step = self._step, {}
        for session in step:
            with self._registry.contained(session):
                session.flush()

    async def flush(self) -> None:
        """Flush, a few sessions at a time."""
        step, self._step = self._step, {}
        for number, session in enumerate(step, 1):
            with self._registry.contained(session):
                session.flush()
            if number % PUSHES_A_STEP == 0:
                await trio.sleep(PAUSE_SECONDS)
        await trio.lowlevel.checkpoint()
