"""Plugins' ephemeral events: sent to live sessions only, never in the log, and lost to anyone who is disconnected."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from chatnode.model.records import record
from chatnode.protocol.envelopes import Push
from chatnode.routing.sessions import OpenSession, SessionRegistry


@record(frozen=True)
class ConnectedSession:
    """A client that is connected now, as plugins see it.

    `session` is the key of the device or token in `sessions`, 0 for the program that the node is embedded in; `person`
    is the key of its user; a device can be connected more than once. `since` is when it connected, in milliseconds.
    `behind`: it has yet to receive some of what was sent to it.
    """

    person: int
    session: int
    transport: Literal["socket", "stream", "program"]
    since: int
    behind: bool


def connected(registry: SessionRegistry, person: int) -> list[ConnectedSession]:
    """Every live session of a user, the longest connected first."""
    live = registry.person(person)
    return [
        ConnectedSession(person, each.key, each.transport, each.since, each.behind)
        for each in (live.sessions if live is not None else ())
        if not each.expired
    ]


def push(registry: SessionRegistry, push: Push, people: Iterable[int], sessions: Iterable[ConnectedSession]) -> int:
    """Send once to each session of `people` and each of `sessions`; returns the number of sessions it was sent to.

    A session that is catching up or behind is left out: an ephemeral event is not worth slowing a reader down further.
    """
    found: dict[OpenSession, None] = {}
    for person in people:
        if (live := registry.person(person)) is not None:
            found.update(dict.fromkeys(live.sessions))
    for each in sessions:
        if (live := registry.person(each.person)) is not None:
            found.update((one, None) for one in live.sessions if (one.key, one.since) == (each.session, each.since))
    count = 0
    for session in found:
        if session.behind:
            continue
        with registry.contained(session):
            if session.push(push):
                session.flush()
                count += 1
    return count
