"""The router: receives every committed event in commit order and pushes it to all sessions that may see it.

It encodes an event once, pushes the same bytes to every session, and lets each session send what it got from
one group commit in one go. It runs in the commit callback, on the trio thread, and never awaits.
"""

from __future__ import annotations

from chatnode.logs import get_logger
from chatnode.metrics import Metrics
from chatnode.model.events import (
    ConversationUpdated,
    MemberJoined,
    MemberLeft,
    MessagePosted,
    PersonBlocked,
    RoleChanged,
    SessionRevoked,
)
from chatnode.protocol.envelopes import Push, push_of
from chatnode.routing.presence import PresenceBoard
from chatnode.routing.sessions import OpenSession, SessionRegistry
from chatnode.storage.engine.transaction import Committed, Recorded

logger = get_logger("routing")


class Router:
    """`publish` is the database's commit listener."""

    def __init__(self, sessions: SessionRegistry, presence: PresenceBoard, metrics: Metrics | None = None) -> None:
        self.metrics = metrics or Metrics()
        self.sessions = sessions
        self.presence = presence

    def publish(self, recorded: list[Committed]) -> None:
        """Hand out the events of one group commit. A session that fails is ended, and stops no other."""
        due: dict[OpenSession, None] = {}
        for each in recorded:
            if isinstance(each, Recorded):
                self._publish(each, due)
        for session in due:
            try:
                session.flush()
            except Exception:
                self.sessions.give_up(session)

    def _publish(self, each: Recorded, due: dict[OpenSession, None]) -> None:
        event = each.event
        if isinstance(event, MemberJoined) and each.conversation is not None:
            self.sessions.joined(each.gid, each.conversation, each.people[0])
        audience = self._audience(each)
        if audience and (push := _push_of(each)) is not None:
            self.metrics.deliveries += len(audience)
            for session in audience:
                try:
                    if session.push(push):
                        due[session] = None
                except Exception:
                    self.sessions.give_up(session)
        if isinstance(event, MessagePosted) and each.conversation is not None:  # first: most are
            self.presence.typing.stop(event.message.sender.id, each.conversation, push=False)
        elif isinstance(event, MemberLeft) and each.conversation is not None:
            self.presence.typing.stop(event.person.id, each.conversation)
            self.sessions.left(each.gid, each.conversation, each.people[0])
        elif isinstance(event, ConversationUpdated) and each.conversation is not None:
            if event.details.closed_at is not None:
                self.presence.typing.forget(each.conversation)
        elif isinstance(event, PersonBlocked):
            self.sessions.blocked(each.gid, each.people[0], event.person.id, event.blocked)
        elif isinstance(event, SessionRevoked):
            self._end(each, resume=False, reason="signed out", key=event.session)
        elif isinstance(event, RoleChanged):
            self._end(each, resume=True, reason="your role changed")

    def _audience(self, each: Recorded) -> list[OpenSession]:
        """The sessions to push to; a session listed twice drops the repeat by its gid."""
        audience: list[OpenSession] = []
        if each.conversation is not None:
            for live in self.sessions.hearing(each.conversation):
                if live.key not in each.hidden_from:
                    audience += live.sessions
        for key in each.people:
            if (live := self.sessions.person(key)) is not None:
                audience += live.sessions
        return audience

    def _end(self, each: Recorded, *, resume: bool, reason: str, key: int | None = None) -> None:
        live = self.sessions.person(each.people[0])
        for session in list(live.sessions) if live else ():
            if key is None or session.key == key:
                self.sessions.end_session(session, resume=resume, reason=reason)


def _push_of(each: Recorded) -> Push | None:
    """None for an event that cannot be sent, as a plugin may make one: it is left out, as when it is made again."""
    try:
        return push_of(each.gid, each.event)
    except Exception:
        logger.exception("the event %s with gid %d cannot be encoded and was skipped", each.event.name, each.gid)
        return None
