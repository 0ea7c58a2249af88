"""Old snapshot + events = fresh snapshot: live and after an absence, for every command and for random dialogues."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest

from chatnode.config import Config, Limits
from chatnode.errors import Refusal
from chatnode.node import Node
from tests.plugins.contacts.client import ContactsClient
from tests.plugins.contacts.keeping import catch_up
from tests.plugins.watched import Watched
from tests.properties.world import SignedIn, head, replayed
from tests.services.dialogue import assert_sound, new_cid


@pytest.fixture
def config() -> Config:
    settings = {"requests_per_minute": 0, "declined_days": 0}
    return Config(
        limits=Limits(requests_per_minute=0, posts_per_minute=0, changes_per_minute=0),
        of_plugins={"contacts": settings},
    )


# ---- one command after the other

Steps = Callable[[dict[str, SignedIn]], Awaitable[Any]]


@attrs.frozen
class Scenario:
    """`command` is run as Ann; `before` is what was done before anybody is watched."""

    command: str
    fields: dict[str, Any]
    before: tuple[tuple[str, str, dict[str, Any]], ...] = ()


BOB = {"person": "bob"}
ASKED = (("bob", "contacts.request", {"person": "ann", "note": "hello"}),)
HAS_ASKED = (("ann", "contacts.request", BOB),)
KEEPS = (("ann", "contacts.add", {**BOB, "groups": ["Work"], "tags": ["vip"], "nickname": "Bobby"}),)
SCENARIOS = (
    Scenario("contacts.request", {**BOB, "note": "hello"}),
    Scenario("contacts.request", BOB, ASKED),
    Scenario("contacts.accept", BOB, ASKED),
    Scenario("contacts.accept", BOB, (*ASKED, *KEEPS)),
    Scenario("contacts.decline", BOB, ASKED),
    Scenario("contacts.cancel", BOB, HAS_ASKED),
    Scenario("contacts.add", {**BOB, "note": "tea"}),
    Scenario("contacts.add", {**BOB, "note": "tea"}, KEEPS),
    Scenario("contacts.update", {**BOB, "nickname": "", "number": "112", "favourite": True, "tags": []}, KEEPS),
    Scenario("contacts.remove", BOB, KEEPS),
    Scenario("contacts.labels.rename", {"kind": "group", "name": "work", "to": "Office"}, KEEPS),
    Scenario("contacts.labels.delete", {"kind": "tag", "name": "vip"}, KEEPS),
    Scenario("people.block", BOB, (*ASKED, *KEEPS)),
    Scenario("people.unblock", BOB, (*KEEPS, ("ann", "people.block", BOB))),
)


REPLAYED = {each.command for each in SCENARIOS}
"""Of these commands it is tried here (`tests/plugins/test_replay.py`)."""


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: f"{each.command}-{len(each.before)}")
async def test_a_command_is_told_live_and_later_alike(node: Node, scenario: Scenario) -> None:
    people = {handle: await SignedIn.new(node, handle) for handle in ("ann", "bob", "eve")}
    for handle, command, fields in scenario.before:
        await people[handle].call(command, **fields)
    since = await head(node)
    watched = {handle: await Watched.of(ContactsClient, somebody) for handle, somebody in people.items()}
    await people["ann"].call(scenario.command, **scenario.fields)
    for handle, each in watched.items():
        pushed = each.connection.session.frames
        durable = [frame for frame in pushed if b'"gid"' in frame and not frame.startswith(b'{"event":"live"')]
        assert durable == await replayed(people[handle], since)
        if handle == "eve":
            assert durable == []
        await each.compare()
    own = "contacts." if scenario.command.startswith("contacts.") else "person."
    assert any(own.encode() in frame for frame in watched["ann"].connection.session.frames)


# ---- whatever people do


class Dialogue:
    """Five people who do as they please, by a seed."""

    def __init__(self, node: Node, people: list[SignedIn], seed: int) -> None:
        self.node = node
        self.people = people
        self.draw = random.Random(seed)
        self.erased: set[str] = set()

    async def step(self) -> None:
        who, other = self.draw.sample([each for each in self.people if each.handle not in self.erased], 2)
        command, fields = self.draw.choice(self._choices(other))
        try:
            if command == "say":
                talk = await who.call("conversations.direct", **{"with": other.handle})
                await who.call("messages.post", **talk, cid=new_cid(), text="hello")
            else:
                await who.call(command, **fields)
        except Refusal as refusal:
            assert refusal.code in ("not_found", "conflict", "forbidden", "closed"), refusal  # noqa: PT017

    def _choices(self, other: SignedIn) -> list[tuple[str, dict[str, Any]]]:
        person = {"person": other.handle}
        labels = ["Work", "work", "Chess", "Family"]
        kind = self.draw.choice(["group", "tag"])
        change: dict[str, Any] = {
            "favourite": self.draw.random() < 0.5,
            "nickname": self.draw.choice(["", "Nick", "Ünal"]),
            "number": self.draw.choice(["", "112", "+49 170"]),
            "note": self.draw.choice(["", "tea", "coffee"]),
            "groups": self.draw.sample(labels, self.draw.randrange(3)),
            "tags": self.draw.sample(labels, self.draw.randrange(3)),
        }
        some = dict(self.draw.sample(list(change.items()), 2))
        return [
            *[("contacts.request", {**person, "note": self.draw.choice(["", "please"])})] * 4,
            *[("contacts.accept", person)] * 4,
            ("contacts.decline", person),
            ("contacts.cancel", person),
            *[("contacts.add", {**person, **some})] * 2,
            *[("contacts.update", {**person, **some})] * 4,
            *[("contacts.remove", person)] * 2,
            (
                "contacts.labels.rename",
                {"kind": kind, "name": self.draw.choice(labels), "to": self.draw.choice(labels)},
            ),
            ("contacts.labels.delete", {"kind": kind, "name": self.draw.choice(labels)}),
            ("people.block", person),
            *[("people.unblock", person)] * 2,
            ("people.update", {"name": self.draw.choice(["Ada", "Zoë", "Émile", "Grace"])}),
            *[("say", {})] * 4,
        ]

    async def erase_somebody(self) -> None:
        gone = self.draw.choice([each for each in self.people if each.handle not in self.erased])
        self.erased.add(gone.handle)
        await self.node.call("people.erase", person=gone.handle, handle=gone.handle)


@pytest.mark.parametrize("seed", range(8))
async def test_clients_show_what_the_node_has(node: Node, seed: int) -> None:
    people = [await SignedIn.new(node, handle) for handle in ("ann", "bob", "cay", "dan", "eve")]
    dialogue = Dialogue(node, people, seed)
    watched = [await Watched.of(ContactsClient, somebody) for somebody in people]
    for _ in range(5):
        for _ in range(25):
            await dialogue.step()
        if dialogue.draw.random() < 0.15:
            await dialogue.erase_somebody()
        await catch_up(node)
        for each in watched:
            if each.somebody.handle not in dialogue.erased:
                await each.compare()
    await assert_sound(node)
