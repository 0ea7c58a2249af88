"""What plugins tell clients, and what they read of the log and of who is there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from chatnode.api import (
    Consumer,
    Context,
    Event,
    EventKind,
    MessagePosted,
    Recipient,
    Row,
    SessionRevoked,
    SettingsChanged,
    Transaction,
    access_conversation,
    find_person,
    find_presence,
    now_ms,
    recipients,
    thread_followers,
)
from chatnode.node import Node
from chatnode.testing import LiveSession, LiveUser, User, catch_up, refused
from tests.plugins.surface.making import made, node_with, states


@attrs.define
class Nudged(Event):
    """Somebody wants an answer."""

    name = "demo.nudged"
    by: str


@attrs.define
class Undeclared(Event):
    """Nobody declares it."""

    name = "demo.undeclared"


class Log:
    """A consumer that keeps the rows it is given."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    async def consume(self, ctx: Context, rows: Sequence[Row]) -> None:
        self.rows += rows


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
async def node(tmp_path: Path, log: Log) -> AsyncIterator[Node]:
    plugin = made("demo", ephemeral=(Nudged,), consumers=(Consumer("log", log.consume),))
    async with node_with(tmp_path, plugin) as node:
        yield node


@pytest.fixture
async def ann(node: Node) -> LiveUser:
    return await LiveUser.new(node, "ann")


@pytest.fixture
async def bob(node: Node) -> LiveUser:
    return await LiveUser.new(node, "bob")


@pytest.fixture
def ctx(node: Node) -> Context:
    return node.plugins.loaded["demo"].context


# ---- what only passes


async def test_a_push_reaches_the_sessions_of_those_it_is_for(ctx: Context, ann: LiveUser, bob: LiveUser) -> None:
    assert ctx.push(Nudged("eve"), people=[ann.key]) == 1
    assert await ann.hears("demo.nudged") == {"event": "demo.nudged", "by": "eve"}
    assert bob.heard("demo.nudged") == []


async def test_one_of_several_devices_can_be_chosen(node: Node, ctx: Context, ann: LiveUser) -> None:
    phone = await LiveSession.of(node, ann, key=7)
    chosen = [each for each in ctx.live_sessions(ann.key) if each.session == 7]
    assert ctx.push(Nudged("eve"), sessions=chosen) == 1
    assert (len(phone.heard("demo.nudged")), ann.heard("demo.nudged")) == (1, [])
    assert ctx.push(Nudged("eve"), people=[ann.key], sessions=chosen) == 2  # each once
    assert len(phone.heard("demo.nudged")) == 2


async def test_it_is_not_in_the_log_and_not_for_who_catches_up(node: Node, ctx: Context, ann: LiveUser) -> None:
    before = (await ctx.events_for(ann.key, 0))[1]
    ann.session.hold()
    assert ctx.push(Nudged("eve"), people=[ann.key]) == 0
    ann.session.go_live()
    assert ann.heard("demo.nudged") == []
    assert (await ctx.events_for(ann.key, 0))[1] == before


async def test_it_makes_no_slow_reader_slower(node: Node, ctx: Context, ann: LiveUser) -> None:
    class Slow(LiveSession):
        @property
        def behind(self) -> bool:
            return True

    slow = await Slow.of(node, ann, key=7)
    assert ctx.push(Nudged("eve"), people=[ann.key]) == 1
    assert (slow.heard("demo.nudged"), len(ann.heard("demo.nudged"))) == ([], 1)


async def test_a_session_that_fails_ends_and_stops_no_other(
    node: Node, ctx: Context, ann: LiveUser, bob: LiveUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send(push: Any) -> None:
        raise OSError("no")

    monkeypatch.setattr(ann.session, "send", send)
    assert ctx.push(Nudged("eve"), people=[ann.key, bob.key]) == 1
    assert (ann.session.ended, len(bob.heard("demo.nudged"))) == (True, 1)
    assert ctx.live_sessions(ann.key) == []  # what it missed is not missing in the middle of what it gets


async def test_only_what_is_declared_is_pushed(ctx: Context, ann: LiveUser) -> None:
    with pytest.raises(LookupError, match="does not declare Undeclared"):
        ctx.push(Undeclared(), people=[ann.key])
    with pytest.raises(LookupError, match="does not declare MessagePosted"):
        ctx.push(MessagePosted("", None), people=[ann.key])  # type: ignore[arg-type]


async def test_its_name_is_its_own(tmp_path: Path) -> None:
    async def consume(ctx: Context, rows: Sequence[Row]) -> None:
        """Nothing."""

    waiting = made("other", ephemeral=(Nudged,), consumers=(Consumer("c", consume, frozenset({Nudged.name})),))
    async with node_with(
        tmp_path, made("demo", ephemeral=(Nudged,)), made("twin", ephemeral=(Nudged,)), waiting
    ) as node:
        found = states(node)
        assert "demo.nudged already exists" in found["twin"]
        assert (found["demo"], "other" in found) == ("running", True)
        assert found["other"] != "running"


async def test_live_sessions_tell_how_each_client_is_connected(node: Node, ctx: Context, ann: LiveUser) -> None:
    assert ctx.live_sessions(999) == []
    await LiveSession.of(node, ann, key=7)
    first, second = ctx.live_sessions(ann.key)
    assert [(each.session, each.transport, each.behind) for each in (first, second)] == [
        (0, "socket", False), (7, "socket", False),
    ]  # fmt: skip
    assert first.person == ann.key
    assert 0 < first.since <= second.since
    node.sessions.detach(ann.session)
    assert [each.session for each in ctx.live_sessions(ann.key)] == [7]


async def test_presence_is_what_is_stored_and_what_is_only_in_memory(
    node: Node, ctx: Context, ann: LiveUser, bob: LiveUser
) -> None:
    eve = await User.new(node, "eve")
    await ann.group(bob)
    await bob.call("presence.status", text="in the garden")
    found = await ctx.read(lambda reader: find_presence(reader, ann.key, ["bob", eve.id]))
    [presence] = [ctx.presence_of(each) for each in found]  # with eve, ann shares no conversation
    assert (presence.person.handle, presence.online, presence.text) == ("bob", True, "in the garden")
    assert presence.last_active_at is not None


async def test_a_user_is_active_when_they_do_something(node: Node, ctx: Context) -> None:
    eve = await User.new(node, "eve")
    assert ctx.last_active(eve.key) is None
    began = now_ms()
    await eve.call("people.update", name="Eve")
    assert (ctx.last_active(eve.key) or 0) >= began


# ---- the log


async def test_a_row_is_told_as_clients_were_told(
    node: Node, ctx: Context, log: Log, ann: LiveUser, bob: LiveUser
) -> None:
    room = await ann.group(bob)
    message = await ann.says(room, "hello @bob")
    await ann.does("messages.edit", message=message, text="good morning")
    await bob.does("conversations.settings", conversation=room, starred=True)
    await bob.does("people.update", name="Robert")
    await catch_up(node)

    def tell(reader: Any) -> dict[int, Any]:
        return {row.gid: ctx.event(reader, row) for row in log.rows}

    told = await ctx.read(tell)
    for push in bob.heard():
        if push["event"] in ("message.edited", "member.joined", "settings.changed", "person.updated"):
            assert told[push["gid"]] == push
    posted = next(each for each in told.values() if each["event"] == "message.posted")
    assert posted["message"]["text"] == "good morning"  # as things are now
    assert SettingsChanged.name in {each["event"] for each in told.values()}


async def test_a_row_of_which_nothing_is_left_is_told_as_none(node: Node, ctx: Context) -> None:
    gone = Row(1, 999, "0" * 32, "message.posted", 1, None, 0)
    unknown = Row(1, None, "", "gone.plugin", 1, None, 0)
    assert await ctx.read(lambda reader: [ctx.event(reader, row) for row in (gone, unknown)]) == [None, None]


async def test_events_for_a_user_are_those_a_resume_would_bring(
    node: Node, ctx: Context, ann: LiveUser, bob: LiveUser
) -> None:
    room, secret = await ann.group(bob), await ann.group()
    for number in range(5):
        await ann.says(room, f"message {number}")
        await ann.says(secret, "for myself")
    await ann.does("conversations.members.remove", conversation=room, member="bob")
    await ann.says(room, "without bob")
    # How the conversation is now is not for a user who left it.
    heard = {push["gid"]: push for push in bob.heard() if push["event"] != "conversation.updated"}
    got: list[dict[str, Any]] = []
    place, pages = 0, 0
    while True:
        page, reached = await ctx.events_for(bob.key, place, most=3)
        assert len(page) <= 3
        if reached == place:
            break
        got, place, pages = got + page, reached, pages + 1
    assert {each["gid"]: each for each in got} == heard
    assert (pages > 2, [each["gid"] for each in got] == sorted(heard)) == (True, True)
    with pytest.raises(ValueError, match="at least 1 event"):
        await ctx.events_for(bob.key, place, most=0)
    await node.call("people.deactivate", person="bob")
    with refused("forbidden"):
        await ctx.events_for(bob.key, place)


async def test_a_revoked_session_is_an_event_for_its_user(node: Node, ctx: Context, ann: LiveUser) -> None:
    token = await ann.does("tokens.create")
    await ann.does("sessions.revoke", session=token["session"])
    events, _ = await ctx.events_for(ann.key, 0)
    assert events[-1]["event"] == SessionRevoked.name


# ---- who a message is for


async def told(node: Node, ctx: Context, log: Log) -> dict[str, Recipient]:
    """The recipients of the newest message, by their handles."""
    await catch_up(node)
    rows = [row for row in log.rows if row.kind == MessagePosted.name][-1:]
    found = await ctx.read(lambda reader: recipients(reader, rows))
    keys = {each.person for each in found}
    assert len(keys) == len(found)
    people = [await ctx.read(lambda reader, who=who: find_person(reader, who)) for who in ("ann", "bob", "eve")]
    return {each.handle: one for each in people for one in found if one.person == each.key}


async def test_recipients_are_those_who_can_see_it_and_why(
    node: Node, ctx: Context, log: Log, ann: LiveUser, bob: LiveUser
) -> None:
    eve = await LiveUser.new(node, "eve")
    room = await ann.group(bob, eve)
    root = await bob.says(room, "the root")
    await eve.does("conversations.settings", conversation=room, notify="mentions", mobile=False, archived=True)
    await bob.does("receipts.read", conversation=room, seq=1)
    await ann.says(room, "yes @eve", thread=root, reply_to=root)
    found = await told(node, ctx, log)
    assert set(found) == {"bob", "eve"}
    one, other = found["bob"], found["eve"]
    assert (one.reply, one.thread, one.mentioned, one.direct, one.everyone) == (True, True, False, False, False)
    assert (one.notify, one.mobile, one.archived, one.read_seq, one.seq) == ("all", True, False, 1, 2)
    assert (other.reply, other.thread, other.mentioned) == (False, False, True)
    assert (other.notify, other.mobile, other.desktop, other.archived) == ("mentions", False, True, True)
    await ann.says(room, "@everyone come")
    assert {each.everyone for each in (await told(node, ctx, log)).values()} == {True}


async def test_recipients_leave_out_who_must_not_be_told(
    node: Node, ctx: Context, log: Log, ann: LiveUser, bob: LiveUser
) -> None:
    eve = await LiveUser.new(node, "eve")
    room = await ann.group(bob, eve)
    message = await ann.says(room, "hello")
    await bob.does("people.block", person="ann")
    assert set(await told(node, ctx, log)) == {"eve"}
    await eve.does("conversations.leave", conversation=room)
    assert set(await told(node, ctx, log)) == set()
    await ann.does("conversations.members.add", conversation=room, member="eve")  # who sees nothing of before
    assert set(await told(node, ctx, log)) == set()
    await bob.does("people.unblock", person="ann")
    assert set(await told(node, ctx, log)) == {"bob"}
    await ann.does("messages.delete", message=message)
    assert set(await told(node, ctx, log)) == set()


async def test_those_who_follow_a_thread(node: Node, ctx: Context, log: Log, ann: LiveUser, bob: LiveUser) -> None:
    eve = await LiveUser.new(node, "eve")
    room = await ann.group(bob, eve)
    root = await ann.says(room, "the root")
    await bob.says(room, "an answer", thread=root)
    await eve.says(room, "elsewhere")
    await catch_up(node)
    key = next(row.conversation_key for row in log.rows if row.kind == MessagePosted.name)
    assert key is not None
    assert await ctx.read(lambda reader: thread_followers(reader, key, 1)) == sorted([ann.key, bob.key])
    await bob.does("conversations.leave", conversation=room)
    assert await ctx.read(lambda reader: thread_followers(reader, key, 1)) == [ann.key]


# ---- an event of a conversation that is also for somebody in particular


@attrs.define
class Waved(Event):
    """Somebody waves to all who are here, and to one above all."""

    name = "demo.waved"
    conversation: str


async def test_an_event_that_names_a_user_is_for_all_members_when_they_are_back_too(tmp_path: Path) -> None:
    """`private` keeps it from the others; to name one user does not."""
    waved = EventKind(Waved, lambda reader, row: Waved(row.conversation))
    async with node_with(tmp_path, made("demo", events=(waved,))) as node:
        ann, bob = await LiveUser.new(node, "ann"), await LiveUser.new(node, "bob")
        room = await ann.group(bob)

        def wave(tx: Transaction, private: bool) -> None:
            place = access_conversation(tx, ann.account, room)
            tx.record(Waved(room), conversation=place.key, people=[ann.key], subject=1, actor=ann.key, private=private)

        await node.core.db.write(lambda tx: wave(tx, private=False))
        await node.core.db.write(lambda tx: wave(tx, private=True))
        assert (await bob.hears("demo.waved"))["conversation"] == room
        for who, times in ((ann, 2), (bob, 1)):
            events, _ = await node.plugins.loaded["demo"].context.events_for(who.key, 0)
            assert [each["event"] for each in events].count("demo.waved") == times
