"""An old snapshot and the events are a fresh snapshot: live, after an absence, and whatever was done in between."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import orjson
import pytest
import trio
from chatnode_reactions import storage
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st

from chatnode.config import Config, Limits
from chatnode.errors import Refusal
from chatnode.node import Node, open_node
from tests.plugins.reactions.client import ReactingClient, reacting
from tests.plugins.reactions.reacting import assert_consistent
from tests.properties.test_random_sequences import Player
from tests.properties.world import SignedIn, apply, connect, head, replayed, without_flushing
from tests.quick import examples

HANDLES = ("ann", "bob", "cay", "dan", "eli")
EMOJI = ("👍", "❤", "🎉", "😢")


# ---- directed


@attrs.define
class Watch:
    """Somebody whose client has a snapshot from before, and a live session."""

    somebody: SignedIn
    live: ReactingClient
    away: ReactingClient
    connection: Any
    since: int

    @classmethod
    async def of(cls, somebody: SignedIn) -> Watch:
        connection = await connect(somebody, None)
        live, away = await reacting(somebody), await reacting(somebody)
        live.gid = away.gid = connection.welcome["head"]
        return cls(somebody, live, away, connection, connection.welcome["head"])

    async def check(self) -> list[dict[str, Any]]:
        """Both are as a fresh one; gives what is replayed."""
        missed = await replayed(self.somebody, self.since)
        now = (await reacting(self.somebody)).state()
        for client, frames in ((self.live, self.connection.take()), (self.away, missed)):
            apply(client, frames)
            await client.settle()
            assert client.state() == now
        return [orjson.loads(frame) for frame in missed]


@attrs.define
class Room:
    node: Node
    people: list[SignedIn]
    conversation: str
    messages: list[str]


@pytest.fixture
async def room(node: Node) -> Room:
    people = [await SignedIn.new(node, handle, admin=handle == "ann") for handle in HANDLES]
    fields = {"title": "room", "members": list(HANDLES[1:])}
    conversation = (await people[0].call("conversations.create", **fields))["conversation"]
    post = {"conversation": conversation, "text": "hello"}
    messages = [(await people[0].call("messages.post", cid=f"m{n}", **post))["message"] for n in range(3)]
    return Room(node, people, conversation, messages)


async def react(who: SignedIn, message: str, *emojis: str) -> None:
    await who.call("reactions.set", message=message, emojis=list(emojis))


async def test_who_was_away_is_told_how_it_is_and_not_how_it_was(room: Room) -> None:
    ann, bob, *_ = room.people
    watch = await Watch.of(ann)
    await react(bob, room.messages[0], "👍")
    await react(bob, room.messages[0], "😡")
    await react(bob, room.messages[1], "😢")
    await react(bob, room.messages[1])
    told = await watch.check()
    assert [(each["message"], each["emojis"], each["counts"]) for each in told] == [
        *[(room.messages[0], ["😡"], {"😡": 1})] * 2,
        *[(room.messages[1], [], {})] * 2,
    ]
    assert not {"👍", "😢"} & set(orjson.dumps(told).decode())


async def test_a_message_that_is_deleted_takes_its_events_along(room: Room) -> None:
    ann, bob, *_ = room.people
    await react(bob, room.messages[0], "👍")
    watch = await Watch.of(ann)
    await react(ann, room.messages[0], "🎉")
    await ann.call("messages.delete", message=room.messages[0])
    told = await watch.check()
    assert [each["event"] for each in told] == ["message.deleted"]


async def test_more_people_than_are_told(room: Room) -> None:
    ann, *others = room.people
    for who in others:
        await react(who, room.messages[0], "👍")
    watch = await Watch.of(ann)
    for who in others[:2]:
        await react(who, room.messages[0])
    await react(ann, room.messages[0], "👍")
    await watch.check()
    assert watch.live.asks == 1


async def test_a_person_is_erased_with_their_reactions(room: Room) -> None:
    ann, bob, *others = room.people
    said = {"conversation": room.conversation, "cid": "b", "text": "of bob"}
    of_bob = (await bob.call("messages.post", **said))["message"]
    for message in (*room.messages, of_bob):
        for who in (bob, *others) if message != room.messages[1] else (bob,):
            await react(who, message, "👍")
    watches = [await Watch.of(who) for who in (ann, *others)]
    await ann.call("people.erase", person="bob", handle="bob")
    for watch in watches:
        await watch.check()
    counts = [(await ann.call("reactions.list", message=each))["counts"] for each in (*room.messages, of_bob)]
    assert counts == [{"👍": 3}, {}, {"👍": 3}, {}]


async def test_who_is_erased_is_nobody_in_what_is_told_later(room: Room) -> None:
    ann, bob, *_ = room.people
    watch = await Watch.of(ann)
    await react(bob, room.messages[0], "👍")
    await ann.call("people.erase", person="bob", handle="bob")
    [told] = [each for each in await watch.check() if each["event"] == "reaction.changed"]
    assert (told["emojis"], told["counts"], told["person"]["id"]) == ([], {}, bob.id)
    assert told["person"]["handle"].startswith("erased-")


async def test_messages_that_were_removed_are_not_told_of(room: Room) -> None:
    ann, bob, *_ = room.people
    watch = await Watch.of(ann)
    await react(bob, room.messages[0], "👍")
    await ann.call("conversations.update", conversation=room.conversation, retention_days=1)
    await room.node.core.db.write(lambda tx: tx.execute("UPDATE messages SET at = at - ?", (2 * 86_400_000,)))
    await room.node.call("jobs.run", job="retention")
    assert "reaction.changed" not in [each["event"] for each in await watch.check()]
    await assert_consistent(room.node)


# ---- anything at all


@attrs.define
class Step:
    """Somebody does something: the numbers choose among what there is."""

    who: int
    what: str
    message: int
    one: int


@attrs.define
class Game:
    room: Room
    players: list[Player]
    number: int = 0

    async def step(self, step: Step) -> None:
        player = self.players[step.who]
        message = self.room.messages[step.message % len(self.room.messages)]
        since = await head(self.room.node)
        with contextlib.suppress(Refusal):
            await WHAT[step.what](self, player, message, step.one)
        for each in self.players:
            if step.what == "erase":
                each.go()  # it is done in several steps, of which somebody who comes back sees the end
            await each.check_pushed(since)

    async def post(self, player: Player) -> None:
        self.number += 1
        fields = {"conversation": self.room.conversation, "cid": f"c{self.number}", "text": "and now?"}
        self.room.messages.append((await player.somebody.call("messages.post", **fields))["message"])


Action = Callable[[Game, Player, str, int], Awaitable[Any]]


async def add(game: Game, player: Player, message: str, one: int) -> None:
    await player.somebody.call("reactions.add", message=message, emoji=EMOJI[one % 4])


async def remove(game: Game, player: Player, message: str, one: int) -> None:
    chosen = {"emoji": EMOJI[one % 4]} if one < 4 else {}
    await player.somebody.call("reactions.remove", message=message, **chosen)


async def replace(game: Game, player: Player, message: str, one: int) -> None:
    emojis = [emoji for bit, emoji in enumerate(EMOJI) if one >> bit & 1]
    await player.somebody.call("reactions.set", message=message, emojis=emojis)


async def post(game: Game, player: Player, message: str, one: int) -> None:
    await game.post(player)


async def edit(game: Game, player: Player, message: str, one: int) -> None:
    await player.somebody.call("messages.edit", message=message, text=f"rather {one}")


async def delete(game: Game, player: Player, message: str, one: int) -> None:
    if one < 3:
        await player.somebody.call("messages.delete", message=message)


async def leave_or_return(game: Game, player: Player, message: str, one: int) -> None:
    fields = {"conversation": game.room.conversation, "member": HANDLES[one % 5]}
    await game.players[0].somebody.call(f"conversations.members.{('remove', 'add')[one & 1]}", **fields)


async def erase(game: Game, player: Player, message: str, one: int) -> None:
    if player.somebody.handle != "ann" and one == 0:
        await game.players[0].somebody.call("people.erase", person=player.somebody.id, handle=player.somebody.handle)
        game.players.remove(player)


async def come(game: Game, player: Player, message: str, one: int) -> None:
    await player.come()


async def go(game: Game, player: Player, message: str, one: int) -> None:
    player.go()


WHAT: dict[str, Action] = {
    "add": add,
    "remove": remove,
    "set": replace,
    "post": post,
    "edit": edit,
    "delete": delete,
    "member": leave_or_return,
    "erase": erase,
    "come": come,
    "go": go,
}
OFTEN = ("add", "remove", "set", "come", "go")


REPLAYED = {f"reactions.{name}" for name in WHAT}
"""Of these commands it is tried here (`tests/plugins/test_replay.py`)."""


async def play(steps: list[Step], per_person: int, most_replayed: int) -> None:
    config = Config(limits=Limits(replay_events=most_replayed), of_plugins={"reactions": {"per_person": per_person}})
    with TemporaryDirectory() as folder:
        async with open_node(folder, config, inline=True) as node:
            await without_flushing(node)
            people = [await SignedIn.new(node, handle, admin=handle == "ann") for handle in HANDLES]
            fields = {"title": "room", "members": list(HANDLES[1:]), "history": "since_joining"}
            conversation = (await people[0].call("conversations.create", **fields))["conversation"]
            game = Game(Room(node, people, conversation, []), [])
            game.players = [Player(each, ReactingClient(each)) for each in people]
            for player in game.players[:2]:
                await game.post(player)
            for player in game.players:
                await player.client.begin()
                player.client.gid = await head(node)
                await player.come()
            for step in steps:
                if step.who < len(game.players):
                    await game.step(step)
            for player in game.players:
                await player.come()
                await player.client.settle()
                now = (await reacting(player.somebody)).state()
                assert player.client.state() == now, player.somebody.handle
            await assert_consistent(node)
            assert (await node.call("node.check"))["clean"]


steps = st.lists(
    st.builds(Step, st.integers(0, 4), st.sampled_from([*WHAT, *OFTEN, *OFTEN]), st.integers(0, 3), st.integers(0, 15)),
    min_size=5,
    max_size=40,
)
SETTINGS = settings(deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])


@settings(SETTINGS, max_examples=examples(40))
@given(steps, st.sampled_from([1, 2, 4]), st.sampled_from([0, 5]))
def test_clients_show_the_reactions_that_the_node_has(steps: list[Step], per_person: int, most_replayed: int) -> None:
    trio.run(play, steps, per_person, most_replayed)


@pytest.mark.slow
@settings(SETTINGS, max_examples=150)
@given(steps, st.sampled_from([1, 2, 4]), st.sampled_from([0, 5, 20]))
def test_clients_show_the_reactions_that_the_node_has_for_long(
    steps: list[Step], per_person: int, most_replayed: int
) -> None:
    trio.run(play, steps, per_person, most_replayed)


def counts_are_lost(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(storage, "_counts", lambda reader, message: {})


def taking_back_is_not_told(patch: pytest.MonkeyPatch) -> None:
    record = storage.record_about_message
    told = lambda tx, place, seq, event, by: record(tx, place, seq, event, by) if event.emojis else 0  # noqa: E731
    patch.setattr(storage, "record_about_message", told)


@pytest.mark.parametrize("plant", [counts_are_lost, pytest.param(taking_back_is_not_told, marks=pytest.mark.slow)])
def test_a_planted_bug_is_found(plant: Callable[[pytest.MonkeyPatch], None]) -> None:
    @settings(
        SETTINGS, max_examples=200, phases=[Phase.generate], derandomize=True, database=None, print_blob=False,
        verbosity=Verbosity.quiet, report_multiple_bugs=False,
    )  # fmt: skip
    @given(steps)
    def search(steps: list[Step]) -> None:
        trio.run(play, steps, 2, 0)

    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        with pytest.raises((AssertionError, KeyError)):
            search()
