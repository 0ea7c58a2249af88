"""People come, go, hide, block, join and leave in any order: what clients were told is what is so."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import orjson
import pytest
import trio
import trio.lowlevel
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from chatnode.config import Config, Limits, PresenceSettings
from chatnode.errors import Refusal
from chatnode.node import Node, open_node
from chatnode.routing.broadcast import Broadcaster
from chatnode.routing.presence import PresenceBoard
from tests.properties.world import FrameSession, SignedIn, without_flushing
from tests.quick import examples

HANDLES = ("ann", "bob", "cay", "dan")
LONG = 60.0


@attrs.define(eq=False)
class Told:
    """What one session has been told: a state takes the place of everything before."""

    session: FrameSession
    people: dict[str, dict[str, Any]] = attrs.field(factory=dict[str, dict[str, Any]])
    read: int = 0

    def take(self) -> None:
        for frame in map(orjson.loads, self.session.frames[self.read :]):
            if frame["event"] == "presence.state":
                self.people = {each["person"]["handle"]: each for each in frame["people"]}
            elif frame["event"] == "presence":
                self.people[frame["person"]["handle"]] = frame
        self.read = len(self.session.frames)

    def of(self, handle: str) -> tuple[bool, str | None]:
        """Whoever was not spoken of is offline, without a status."""
        known = self.people.get(handle, {"online": False})
        return known["online"], known.get("text")


@attrs.define
class Game:
    node: Node
    people: dict[str, SignedIn]
    room: str
    sessions: dict[str, list[Told]]
    blocks: set[tuple[str, str]] = attrs.field(factory=set[tuple[str, str]])
    number: int = 0

    async def come(self, handle: str) -> None:
        session = FrameSession(self.people[handle], self.people[handle].session)
        await self.node.sessions.attach(session)
        self.sessions[handle].append(Told(session))
        session.go_live()

    async def go(self, handle: str) -> None:
        if self.sessions[handle]:
            self.node.sessions.detach(self.sessions[handle].pop().session)

    async def status(self, handle: str) -> None:
        self.number += 1
        await self.people[handle].call("presence.status", text=f"status {self.number}")

    async def no_status(self, handle: str) -> None:
        await self.people[handle].call("presence.status")

    async def hide(self, handle: str) -> None:
        await self.people[handle].call("presence.visible", visible=False)

    async def show(self, handle: str) -> None:
        await self.people[handle].call("presence.visible", visible=True)

    async def join(self, handle: str) -> None:
        await self.people[handle].call("conversations.join", conversation=self.room)

    async def leave(self, handle: str) -> None:
        await self.people[handle].call("conversations.leave", conversation=self.room)

    async def block(self, handle: str) -> None:
        """Whoever is next, or no longer."""
        other = HANDLES[(HANDLES.index(handle) + 1) % len(HANDLES)]
        on = (handle, other) not in self.blocks
        await self.people[handle].call("people.block" if on else "people.unblock", person=other)
        (self.blocks.add if on else self.blocks.discard)((handle, other))

    async def check(self) -> None:
        """Everybody's clients show what `presence.get` says, which is what the registry says."""
        for handle, tolds in self.sessions.items():
            given = (await self.people[handle].call("presence.get", people=list(HANDLES)))["people"]
            truth = {each["person"]["handle"]: (each["online"], each.get("text")) for each in given}
            for other, (online, _) in truth.items():
                assert online == bool(self.sessions[other]), f"{other} is said to be online: {online}"
            for told in tolds:
                told.take()
                for other in set(truth) - {handle}:
                    assert told.of(other) == truth[other], f"{handle} is told of {other} {told.of(other)}"
                for other in set(told.people) - set(truth):
                    assert told.of(other) == (False, None), f"{handle} is told of {other}, whom they may not see"


WHAT = ("come", "go", "status", "no_status", "hide", "show", "join", "leave", "block")
OFTEN = ("come", "go", "come", "go", "join", "leave")
moves = st.tuples(
    st.sampled_from(HANDLES), st.sampled_from([*WHAT, *OFTEN]), st.sampled_from([0, 0, 0.1, 0.3, 1, 3, 12])
)
Moves = list[tuple[str, str, float]]


async def play(moves: Moves, grace: float, interval: float) -> None:
    presence = PresenceSettings(grace_seconds=grace, interval_seconds=interval)
    with TemporaryDirectory() as folder:
        async with open_node(
            folder, Config(limits=Limits(statuses_per_minute=0), presence=presence), inline=True
        ) as node:
            await without_flushing(node)
            people = {handle: await SignedIn.new(node, handle) for handle in HANDLES}
            fields = {"title": "all", "members": list(HANDLES[:3]), "visibility": "public"}
            room = (await people["ann"].call("conversations.create", **fields))["conversation"]
            await people["cay"].call("conversations.direct", **{"with": "dan"})
            game = Game(node, people, room, {handle: [] for handle in HANDLES})
            async with trio.open_nursery() as nursery:
                nursery.start_soon(node.presence.run)
                await trio.lowlevel.checkpoint()
                for handle, what, pause in moves:
                    with contextlib.suppress(Refusal):
                        await getattr(game, what)(handle)
                    await trio.sleep(pause)
                await trio.sleep(LONG)
                await game.check()
                nursery.cancel_scope.cancel()
            for tolds in game.sessions.values():
                for told in tolds:
                    node.sessions.detach(told.session)
            assert node.sessions.conversations == 0, "somebody is left behind"


def run(moves: Moves, grace: float, interval: float) -> None:
    try:
        trio.run(play, moves, grace, interval, clock=MockClock(autojump_threshold=0))
    except BaseExceptionGroup as group:  # of the nursery; its one error says more
        raise group.exceptions[0] from None


SETTINGS = settings(deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
arguments = (
    st.lists(moves, min_size=3, max_size=25), st.sampled_from([0, 1, 10]), st.sampled_from([0, 2]),
)  # fmt: skip


@settings(SETTINGS, max_examples=examples(60))
@given(*arguments)
def test_what_was_told_is_what_is_so(moves: Moves, grace: float, interval: float) -> None:
    run(moves, grace, interval)


@pytest.mark.slow
@settings(SETTINGS, max_examples=150)
@given(*arguments)
def test_what_was_told_is_what_is_so_for_long(moves: Moves, grace: float, interval: float) -> None:
    run(moves, grace, interval)


# ---- able to fail


def going_is_not_told(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PresenceBoard, "_left", lambda self, person: self._leaving.pop(person))


def who_comes_back_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PresenceBoard, "joined", lambda self, person, conversation: None)


def leaving_is_not_told(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PresenceBoard, "left", lambda self, person, conversation: None)


def blocks_are_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    audience = Broadcaster.audience
    patch.setattr(Broadcaster, "audience", lambda self, circle: audience(self, circle._replace(blocked=frozenset())))


@pytest.mark.parametrize(
    "plant",
    [
        going_is_not_told,
        pytest.param(who_comes_back_is_forgotten, marks=pytest.mark.slow),
        pytest.param(leaving_is_not_told, marks=pytest.mark.slow),
        pytest.param(blocks_are_not_looked_at, marks=pytest.mark.slow),
    ],
)
def test_a_planted_bug_is_found(plant: Callable[[pytest.MonkeyPatch], None]) -> None:
    @settings(
        SETTINGS, max_examples=500, phases=[Phase.generate], derandomize=True, database=None, print_blob=False,
        verbosity=Verbosity.quiet, report_multiple_bugs=False,
    )  # fmt: skip
    @given(*arguments)
    def search(moves: Moves, grace: float, interval: float) -> None:
        run(moves, grace, interval)

    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        with pytest.raises(AssertionError):
            search()
