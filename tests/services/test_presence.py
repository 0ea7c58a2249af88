"""Who is online, who was when, what they say of themselves, and who gets to know."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from chatnode.config import Config, Limits, PresenceSettings
from chatnode.errors import Refusal
from chatnode.model.emoji import as_emoji
from chatnode.model.times import now_ms
from chatnode.node import Node, open_node
from chatnode.storage.presence import presence as storage
from chatnode.testing import LiveSession, User, refused
from tests import unconnected
from tests.plugins.reactions.test_emoji import BAD, GOOD

from .dialogue import outcome, rows_written, with_limits

ann, bob, eve = unconnected.ann, unconnected.bob, unconnected.eve


async def seen(who: User, *handles: str) -> dict[str, dict[str, Any]]:
    """What `presence.get` says, by handle; without the times."""
    found = (await who.call("presence.get", people=list(handles)))["people"]
    return {
        each.pop("person")["handle"]: {key: value for key, value in each.items() if not key.endswith("_at")}
        for each in found
    }


async def last_active(who: User, handle: str) -> str | None:
    (found,) = (await who.call("presence.get", people=[handle]))["people"]
    return found.get("last_active_at")


# ---- asking


async def test_online_is_who_has_a_live_session(node: Node, ann: User, bob: User) -> None:
    await ann.direct(bob)
    assert await seen(ann, "bob") == {"bob": {"online": False}}
    phone, laptop = await LiveSession.of(node, bob), await LiveSession.of(node, bob)
    assert await seen(ann, "bob") == {"bob": {"online": True}}
    node.sessions.detach(phone)
    assert await seen(ann, "bob") == {"bob": {"online": True}}
    node.sessions.detach(laptop)
    assert await seen(ann, "bob") == {"bob": {"online": False}}


async def test_one_query_answers_for_many(ann: User, bob: User, eve: User) -> None:
    """By handle or id, in the order of handles, each once; oneself too."""
    await ann.group(bob, eve)
    found = await ann.call("presence.get", people=["eve", bob.id, "ANN", "bob", "nobody"])
    assert [each["person"]["handle"] for each in found["people"]] == ["ann", "bob", "eve"]
    assert await ann.call("presence.get", people=[]) == {"people": []}


async def test_strangers_see_nothing(node: Node, ann: User, bob: User, eve: User) -> None:
    """Word for word what they get about nobody at all; so too those who share one no more."""
    room = await ann.group(bob)
    await LiveSession.of(node, bob)
    await bob.call("presence.status", text="here")
    for who in ("bob", bob.id, "nobody"):
        assert await eve.call("presence.get", people=[who]) == {"people": []}
    await ann.call("conversations.members.remove", conversation=room, member="bob")
    assert await seen(ann, "bob") == await seen(bob, "ann") == {}


async def test_who_is_blocked_sees_nothing(node: Node, ann: User, bob: User) -> None:
    await ann.direct(bob)
    await LiveSession.of(node, ann)
    await LiveSession.of(node, bob)
    await ann.call("people.block", person="bob")
    assert await seen(bob, "ann") == {}
    assert await seen(ann, "bob") == {"bob": {"online": True}}


async def test_who_hides_is_left_out_but_for_themselves(node: Node, ann: User, bob: User) -> None:
    await ann.direct(bob)
    await LiveSession.of(node, bob)
    assert await bob.call("presence.visible", visible=False) == {"visible": False}
    assert await seen(ann, "bob") == {}
    assert await seen(bob, "bob") == {"bob": {"online": True}}
    assert await bob.call("presence.visible", visible=True) == {"visible": True}
    assert await seen(ann, "bob") == {"bob": {"online": True}}


@with_limits(page_items=2)
async def test_so_many_at_a_time(ann: User) -> None:
    with refused("too_large", "people"):
        await ann.call("presence.get", people=["a", "b", "c"])


async def test_the_operator_is_nobody_who_could_see(node: Node, ann: User) -> None:
    assert await outcome(node.call("presence.get", people=["ann"])) == "forbidden"


# ---- being active


@pytest.mark.parametrize("what", ["connecting", "posting", "reading", "looking", "a status"])
async def test_what_shows_that_somebody_is_there(node: Node, ann: User, bob: User, what: str) -> None:
    talk = await ann.direct(bob)
    await ann.call("messages.post", conversation=talk, cid="x", text="x")
    assert await last_active(ann, "bob") is None
    acts: dict[str, Callable[[], Awaitable[Any]]] = {
        "connecting": lambda: LiveSession.of(node, bob),
        "posting": lambda: bob.call("messages.post", conversation=talk, cid="y", text="y"),
        "reading": lambda: bob.call("receipts.read", conversation=talk, seq=1),
        "looking": lambda: bob.call("messages.list", conversation=talk),
        "a status": lambda: bob.call("presence.status", text="here"),
    }
    await acts[what]()
    assert await last_active(ann, "bob") is not None


async def test_what_a_program_does_by_itself_does_not(ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    await ann.call("messages.post", conversation=talk, cid="x", text="x")
    await bob.call("receipts.delivered", conversation=talk, seq=1)
    await bob.call("inbox.list")
    assert await outcome(bob.call("messages.post", conversation="0" * 32, cid="x", text="x")) == "not_found"
    assert await last_active(ann, "bob") is None


async def test_it_is_written_together_and_not_with_each_message(node: Node, ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    for who in (ann, bob):
        await who.call("messages.post", conversation=talk, cid="x", text="x")
    assert await stored(node) == {}
    before = await rows_written(node)
    await node.presence.write()
    assert (await stored(node)).keys() == {"ann", "bob"}
    assert await rows_written(node) == before + 2
    await node.presence.write()  # nothing is new
    assert await rows_written(node) == before + 2


async def stored(node: Node) -> dict[str, int]:
    """Handle → when they were active, as far as it is on disk."""
    rows = await node.core.db.read(
        lambda reader: reader.execute(
            "SELECT p.handle, s.active_at FROM presence s JOIN people p ON p.key = s.person"
        ).fetchall()
    )
    return dict(rows)


async def test_a_node_that_stops_writes_what_is_pending(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        await ann.direct(bob)
        when = await last_active(ann, "ann")
        await bob.call("presence.status", text="away")
    async with open_node(tmp_path) as node:
        again = User(node, ann.account)
        assert await last_active(again, "ann") == when
        assert await seen(again, "bob") == {"bob": {"online": False, "text": "away"}}


async def test_what_storage_did_not_take_is_written_later(
    node: Node, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ann.group()
    with monkeypatch.context() as patch:
        patch.setattr(node.core.db, "broken", "for a moment")
        with pytest.raises(Refusal):
            await node.presence.write()
    await node.presence.write()
    assert (await stored(node)).keys() == {"ann"}


async def test_of_who_was_erased_nothing_is_written_or_left(node: Node, ann: User) -> None:
    await ann.call("presence.status", text="hello")
    await node.core.db.write(lambda tx: storage.erase(tx, ann.account))
    await node.core.db.write(lambda tx: tx.execute("UPDATE people SET erased_at = 1 WHERE handle = 'ann'"))
    await node.presence.write()
    assert await stored(node) == {}


# ---- the status


async def test_a_status_is_text_emoji_or_both(ann: User, bob: User) -> None:
    await ann.direct(bob)
    for fields in ({"text": "In a meeting"}, {"emoji": "📅"}, {"text": "Am Zug, später", "emoji": "🚆"}):
        given = await bob.call("presence.status", **fields)
        assert fields.items() <= given["presence"].items()
        assert await seen(ann, "bob") == {"bob": {"online": False, **fields}}
    await bob.call("presence.status")
    assert await seen(ann, "bob") == {"bob": {"online": False}}


async def test_a_status_ends_by_itself(node: Node, ann: User, bob: User, monkeypatch: Any) -> None:
    await ann.direct(bob)
    given = await bob.call("presence.status", text="lunch", seconds=3600)
    assert (await seen(ann, "bob"))["bob"] == {"online": False, "text": "lunch", "until": given["presence"]["until"]}
    later = now_ms() + 3_600_001
    node.presence.clock = lambda: later
    assert await seen(ann, "bob") == {"bob": {"online": False}}
    monkeypatch.setattr("chatnode.storage.engine.transaction.now_ms", lambda: later)
    await node.presence.write()
    rows = await node.core.db.read(lambda reader: reader.execute("SELECT text, until FROM presence").fetchall())
    assert set(rows) == {(None, None)}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"text": "two\nlines"}, "text"),
        ({"text": "x" * 2000}, "text"),
        ({"emoji": "busy"}, "emoji"),
        ({"emoji": "🚆 x"}, "emoji"),
        ({"text": "x", "seconds": 0}, "seconds"),
        ({"text": 7}, "text"),
    ],
)
async def test_what_is_no_status_is_refused_with_its_place(ann: User, fields: dict[str, Any], path: str) -> None:
    with refused("invalid", path):
        await ann.call("presence.status", **fields)


async def test_a_status_has_a_longest_length(ann: User) -> None:
    await ann.call("presence.status", text="x" * 140)
    with refused("too_large", "text"):
        await ann.call("presence.status", text="x" * 141)


@with_limits(statuses_per_minute=0)
async def test_the_emoji_of_a_status_is_what_that_of_a_reaction_is(ann: User) -> None:
    for emoji in ["🚆", "👩‍💻", "1️⃣", "‼️", "❤", *" ".join(GOOD.values()).split()]:
        told = await ann.call("presence.status", emoji=emoji)
        assert told["presence"]["emoji"] == as_emoji(emoji, "emoji")
    for text in ["busy", "é", "11\u20e3", "<b>", "✓", "∑", "§", "💻💻", *filter(None, BAD.values())]:
        with refused("invalid", "emoji"):
            await ann.call("presence.status", emoji=text)


@pytest.mark.parametrize("blank", ["", " ", "\u200b", "\u3164", "\u2800\u0301"])
async def test_a_status_of_nothing_to_see_is_none(ann: User, blank: str) -> None:
    await ann.call("presence.status", text="x")
    assert "text" not in (await ann.call("presence.status", text=blank))["presence"]


@with_limits(statuses_per_minute=2)
async def test_changing_it_is_limited(ann: User) -> None:
    await ann.call("presence.status", text="one")
    await ann.call("presence.visible", visible=True)
    with refused("rate_limited"):
        await ann.call("presence.status", text="two")


# ---- what is kept


async def test_no_history_is_kept_unless_asked_for(node: Node, ann: User) -> None:
    await ann.call("presence.status", text="one")
    assert await ann.call("presence.history") == {"days": 0, "history": []}


keeping = pytest.mark.parametrize("config", [Config(presence=PresenceSettings(history_days=30))], ids=["kept"])


@keeping
async def test_history_tells_of_coming_going_and_statuses(node: Node, ann: User, bob: User) -> None:
    session = await LiveSession.of(node, ann)
    await ann.call("presence.status", text="one", emoji="🍏")
    node.sessions.detach(session)
    await node.presence.write()
    kept = (await ann.call("presence.history"))["history"]
    assert {(each["change"], each.get("text")) for each in kept} == {
        ("online", None),
        ("offline", None),
        ("status", "one"),
    }
    older = await ann.call("presence.history", before=kept[0]["entry"], limit=1)
    assert older == {"days": 30, "history": [kept[1]]}
    assert (await bob.call("presence.history"))["history"] == []


@keeping
async def test_history_is_ones_own_or_for_who_operates_the_node(node: Node, ann: User, bob: User) -> None:
    await ann.direct(bob)
    await ann.call("presence.status", text="one")
    root = await User.new(node, "root", admin=True)
    for asked in (root.call("presence.history", person="ann"), node.call("presence.history", person="ann")):
        assert len((await asked)["history"]) == 1
    assert len((await ann.call("presence.history", person="ANN"))["history"]) == 1
    with refused("forbidden", "person"):
        await bob.call("presence.history", person="ann")
    with refused("invalid", "person"):
        await node.call("presence.history")


@keeping
async def test_history_goes_after_its_days(node: Node, ann: User, monkeypatch: pytest.MonkeyPatch) -> None:
    await ann.call("presence.status", text="one")
    monkeypatch.setattr("chatnode.storage.engine.transaction.now_ms", lambda: now_ms() + 31 * 86_400_000)
    await node.presence.write()
    assert (await ann.call("presence.history"))["history"] == []


# ---- being told


class World:
    """Ann, Bob and Eve on a node that tells, with a clock that jumps over waiting."""

    def __init__(self, node: Node, *people: User) -> None:
        self.node = node
        self.ann, self.bob, self.eve = people

    async def settle(self, seconds: float = 30) -> None:
        await trio.sleep(seconds)


Story = Callable[[World], Awaitable[None]]


def told(**settings: Any) -> Callable[[Story], Callable[..., None]]:
    """Run a story with a mocked clock and these settings of presence."""

    def decorate(story: Story) -> Callable[..., None]:
        async def play(folder: Path) -> None:
            config = Config(presence=PresenceSettings(**settings), limits=Limits(statuses_per_minute=0))
            async with open_node(folder, config, inline=True) as node, trio.open_nursery() as nursery:
                people = [await User.new(node, handle) for handle in ("ann", "bob", "eve")]
                nursery.start_soon(node.presence.run)
                await story(World(node, *people))
                nursery.cancel_scope.cancel()

        def test(tmp_path: Path) -> None:
            trio.run(play, tmp_path, clock=MockClock(autojump_threshold=0))

        test.__name__, test.__doc__ = story.__name__, story.__doc__
        return test

    return decorate


def brief(session: LiveSession) -> list[tuple[Any, ...]]:
    """What a session was pushed, in short."""
    return [
        ("state", *sorted(each["person"]["handle"] for each in push["people"]))
        if push["event"] == "presence.state"
        else (push["person"]["handle"], push["online"], *filter(None, [push.get("text"), push.get("emoji")]))
        for push in session.pushes
        if push["event"].startswith("presence")
    ]


@told()
async def test_fellows_are_told_of_coming_and_going(world: World) -> None:
    await world.ann.direct(world.bob)
    anns, eves = await LiveSession.of(world.node, world.ann), await LiveSession.of(world.node, world.eve)
    await world.settle()
    bobs = await LiveSession.of(world.node, world.bob)
    await world.settle()
    world.node.sessions.detach(bobs)
    await world.settle()
    assert brief(anns) == [("ann", True), ("state",), ("bob", True), ("bob", False)]
    assert brief(bobs) == [("bob", True), ("state", "ann")]
    assert brief(eves) == [("eve", True), ("state",)]


@told(grace_seconds=10)
async def test_coming_back_soon_is_no_news(world: World) -> None:
    await world.ann.direct(world.bob)
    anns, bobs = await LiveSession.of(world.node, world.ann), await LiveSession.of(world.node, world.bob)
    await world.settle()
    before = len(anns.pushes)
    for _ in range(5):
        world.node.sessions.detach(bobs)
        assert await seen(world.ann, "bob") == {"bob": {"online": True}}
        await world.settle(9)
        bobs = await LiveSession.of(world.node, world.bob)
    await world.settle()
    assert len(anns.pushes) == before
    world.node.sessions.detach(bobs)
    await world.settle(10.1)
    assert await seen(world.ann, "bob") == {"bob": {"online": False}}


@told(grace_seconds=0, interval_seconds=5)
async def test_somebody_who_flaps_is_told_of_now_and_then(world: World) -> None:
    await world.ann.direct(world.bob)
    anns = await LiveSession.of(world.node, world.ann)
    await world.settle()
    before = len(anns.pushes)
    for _ in range(100):
        bobs = await LiveSession.of(world.node, world.bob)
        await world.settle(0.3)
        world.node.sessions.detach(bobs)
        await world.settle(0.3)
    await world.settle()
    assert 1 < len(anns.pushes) - before <= 60 / 5 + 2
    assert brief(anns)[-1] == ("bob", False)


@told()
async def test_a_status_is_told_also_of_who_is_offline(world: World) -> None:
    await world.ann.direct(world.bob)
    anns = await LiveSession.of(world.node, world.ann)
    await world.settle()
    await world.bob.call("presence.status", text="back on Monday", emoji="🏖️")
    await world.settle()
    assert brief(anns)[-1] == ("bob", False, "back on Monday", "🏖️")
    later = await LiveSession.of(world.node, world.ann)
    await world.settle()
    assert brief(later) == [("state", "bob")]


@told()
async def test_ones_other_devices_are_told_of_ones_status(world: World) -> None:
    phone = await LiveSession.of(world.node, world.eve)
    await world.settle()
    await world.eve.call("presence.status", text="here")
    await world.settle()
    assert brief(phone)[-1] == ("eve", True, "here")


@told()
async def test_who_was_brought_in_sees_the_others_and_they_them(world: World) -> None:
    sessions = {who.handle: await LiveSession.of(world.node, who) for who in (world.ann, world.bob)}
    await world.settle()
    await world.ann.direct(world.bob)
    await world.settle()
    assert ("state", "bob") in brief(sessions["ann"])
    assert ("state", "ann") in brief(sessions["bob"])


@told()
async def test_who_was_removed_sees_nobody_any_more_and_is_told_nothing_more(world: World) -> None:
    room = await world.ann.group(world.bob)
    anns, bobs = await LiveSession.of(world.node, world.ann), await LiveSession.of(world.node, world.bob)
    await world.settle()
    world.node.sessions.detach(anns)  # while she counts as being there
    await world.ann.call("conversations.members.remove", conversation=room, member="bob")
    before = len(brief(bobs))
    await world.settle()
    assert brief(bobs)[before:] == [("state",)]


@told()
async def test_who_left_is_gone_for_those_who_share_nothing_else(world: World) -> None:
    """Bob shares only the group with ann, eve their direct conversation too."""
    room = await world.bob.group(world.ann, world.eve)
    await world.ann.direct(world.eve)
    await LiveSession.of(world.node, world.ann)
    bobs, eves = await LiveSession.of(world.node, world.bob), await LiveSession.of(world.node, world.eve)
    await world.settle()
    before = len(brief(eves))
    await world.ann.call("conversations.leave", conversation=room)
    await world.settle()
    assert brief(bobs)[-1] == ("ann", False)
    assert ("ann", False) not in brief(eves)[before:]


@told()
async def test_who_hides_after_leaving_was_not_left_behind_as_online(world: World) -> None:
    room = await world.bob.group(world.ann)
    await LiveSession.of(world.node, world.ann)
    bobs = await LiveSession.of(world.node, world.bob)
    await world.settle()
    await world.ann.call("presence.visible", visible=False)  # both before anybody was told of the first
    await world.ann.call("conversations.leave", conversation=room)
    await world.settle()
    assert brief(bobs)[-1] == ("ann", False)


@told()
async def test_the_status_of_somebody_who_is_not_there_comes_and_goes_with_them(world: World) -> None:
    room = await world.bob.group(visibility="public")
    bobs = await LiveSession.of(world.node, world.bob)
    await world.ann.call("presence.status", text="sailing")
    await world.settle()
    assert ("state", "ann") not in brief(bobs)
    await world.ann.call("conversations.join", conversation=room)
    await world.settle()
    assert brief(bobs)[-1] == ("state", "ann")
    await world.ann.call("conversations.leave", conversation=room)
    await world.settle()
    assert brief(bobs)[-1] == ("state",)


@told()
async def test_who_is_blocked_sees_the_other_go(world: World) -> None:
    await world.ann.direct(world.bob)
    anns, bobs = await LiveSession.of(world.node, world.ann), await LiveSession.of(world.node, world.bob)
    await world.settle()
    await world.ann.call("people.block", person="bob")
    await world.settle()
    assert brief(bobs)[-1] == ("state",)
    await world.ann.call("presence.status", text="not for bob")
    await world.settle()
    again = await LiveSession.of(world.node, world.bob)
    await world.settle()
    assert (brief(bobs)[-1], brief(again)) == (("state",), [("state",)])
    assert brief(anns)[-1] == ("ann", True, "not for bob")
    await world.ann.call("people.unblock", person="bob")
    await world.settle()
    assert brief(bobs)[-1] == ("state", "ann")


@told()
async def test_hiding_looks_like_going(world: World) -> None:
    await world.ann.direct(world.bob)
    await LiveSession.of(world.node, world.ann)
    bobs = await LiveSession.of(world.node, world.bob)
    await world.ann.call("presence.status", text="here")
    await world.settle()
    await world.ann.call("presence.visible", visible=False)
    await world.settle()
    assert brief(bobs)[-2:] == [("state", "ann"), ("ann", False)]
    await world.ann.call("presence.status", text="secret")
    await world.settle()
    again = await LiveSession.of(world.node, world.bob)
    await world.settle()
    assert (brief(bobs)[-1], brief(again)) == (("ann", False), [("state",)])


@told(most_audience=2)
async def test_big_groups_are_told_nothing_but_may_ask(world: World) -> None:
    await world.ann.group(world.bob, world.eve)
    sessions = [await LiveSession.of(world.node, who) for who in (world.ann, world.bob, world.eve)]
    await world.settle()
    assert ("state",) in brief(sessions[-1])
    assert await seen(world.eve, "ann", "bob") == {"ann": {"online": True}, "bob": {"online": True}}


@told()
async def test_a_session_that_does_not_want_it_gets_none(world: World) -> None:
    await world.ann.direct(world.bob)
    anns = await LiveSession.of(world.node, world.ann)
    anns.wants_presence = False
    await LiveSession.of(world.node, world.bob)
    await world.settle()
    await world.bob.call("presence.status", text="here")
    await world.settle()
    assert ("bob", True, "here") not in brief(anns)


@told()
async def test_a_session_that_is_behind_gets_the_state_when_it_is_not(world: World) -> None:
    class Slow(LiveSession):
        slow = True

        @property
        def behind(self) -> bool:
            return self.slow

    await world.ann.direct(world.bob)
    session = Slow(world.ann, 0)
    await world.node.sessions.attach(session)
    session.go_live()
    for text in ("one", "two"):
        await world.bob.call("presence.status", text=text)
        await world.settle()
    assert session.pushes == []
    session.slow = False
    await world.settle()
    assert brief(session) == [("state", "bob")]


@told()
async def test_a_session_that_fails_stops_no_other(world: World) -> None:
    class Failing(LiveSession):
        def send(self, push: Any) -> None:
            raise RuntimeError("send failed")

    room = await world.ann.group(world.bob, world.eve)
    failing = Failing(world.ann, 0)
    await world.node.sessions.attach(failing)
    failing.go_live()
    eves = await LiveSession.of(world.node, world.eve)
    await world.settle()
    await world.bob.call("presence.status", text="here")
    await world.settle()
    assert (failing.ended, brief(eves)[-1]) == (True, ("bob", False, "here"))
    assert failing not in world.node.sessions.all()  # nothing more is sent to it
    assert room
