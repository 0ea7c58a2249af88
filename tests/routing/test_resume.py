"""From the log to live: nothing is lost and nothing repeated, whatever happens while a session begins."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import attrs
import orjson
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatnode.config import Config, Limits
from chatnode.model.commands.resume import Cursor, Welcome
from chatnode.model.ids import new_id
from chatnode.node import Node, open_node
from chatnode.protocol.envelopes import Push
from chatnode.routing import resume, sessions
from tests.properties.world import FrameSession, SignedIn, connect, head, without_flushing


@attrs.define
class Beginning:
    """The welcome, and the parts that follow it."""

    welcome: Welcome
    parts: AsyncGenerator[Welcome | list[Push]]


@attrs.define
class Talk:
    """Ann and Bob's; Ann posts, Bob's session begins."""

    node: Node
    ann: SignedIn
    bob: SignedIn
    id: str
    posted: int = 0

    async def post(self, number: int = 1) -> None:
        for _ in range(number):
            self.posted += 1
            text = f"message {self.posted}"
            await self.ann.call("messages.post", conversation=self.id, cid=f"c{self.posted}", text=text)

    async def begin(self, session: FrameSession, gid: int | None) -> Beginning:
        return await self.begin_at(session, Cursor(self.node.core.epoch, gid) if gid is not None else None)

    async def begin_at(self, session: FrameSession, cursor: Cursor | None) -> Beginning:
        parts = resume.stream(self.node.core, self.node.sessions, session, cursor)
        welcome = await anext(parts)
        assert isinstance(welcome, Welcome)
        return Beginning(welcome, parts)

    def session(self) -> FrameSession:
        return FrameSession(self.bob, self.bob.session)


async def make_talk(node: Node) -> Talk:
    ann, bob = await SignedIn.new(node, "ann", admin=True), await SignedIn.new(node, "bob")
    return Talk(node, ann, bob, (await ann.call("conversations.direct", **{"with": "bob"}))["conversation"])


@pytest.fixture
async def talk(node: Node) -> Talk:
    return await make_talk(node)


def parsed(session: FrameSession) -> list[dict[str, Any]]:
    return [orjson.loads(frame) for frame in session.frames]


def posts(session: FrameSession) -> list[int]:
    """The seqs of the messages it was sent, as they came."""
    return [frame["message"]["seq"] for frame in parsed(session) if frame["event"] == "message.posted"]


async def send_pages(talk: Talk, session: FrameSession, beginning: Beginning, *between: int) -> int:
    """Send what was missed; after each page, so many messages are posted. Gives how many there were."""
    posting, pages = iter(between), 0
    async with aclosing(beginning.parts) as parts:
        async for page in parts:
            assert isinstance(page, list)
            pages += 1
            for push in page:
                session.send(push)
            await talk.post(next(posting, 0))
    return pages


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three events to a page, and two held."""
    monkeypatch.setattr(resume, "PAGE_EVENTS", 3)
    monkeypatch.setattr(sessions, "MOST_HELD", 2)


async def test_what_was_missed_comes_first_then_live_then_what_is_new(talk: Talk) -> None:
    since = await head(talk.node)
    await talk.post(2)
    session = talk.session()
    beginning = await talk.begin(session, since)
    await talk.post(1)  # held: the session is not live yet
    assert (beginning.welcome.mode, len(session.frames)) == ("replay", 0)
    await send_pages(talk, session, beginning)
    await talk.post(1)
    assert posts(session) == [1, 2, 3, 4]
    frames = parsed(session)
    assert [frame["event"] for frame in frames].index("live") == 2
    assert frames[2] == {"event": "live", "gid": since + 2}
    assert session.flushed == len(session.frames)


@pytest.mark.usefixtures("small_pages")
async def test_more_than_can_be_held_is_read_from_the_log(talk: Talk) -> None:
    since = await head(talk.node)
    await talk.post(4)
    session = talk.session()
    beginning = await talk.begin(session, since)
    await talk.post(3)
    await send_pages(talk, session, beginning, 1, 5, 3, 4, 3, 0, 2)
    await talk.post(1)
    assert posts(session) == list(range(1, talk.posted + 1))
    assert talk.posted > 20
    assert not session.held_too_much


@pytest.mark.usefixtures("small_pages")
async def test_after_a_snapshot_too_more_than_can_be_held_is_read(talk: Talk) -> None:
    session = talk.session()
    beginning = await talk.begin(session, None)
    assert beginning.welcome.inbox is not None
    await talk.post(5)
    await send_pages(talk, session, beginning, 4)
    assert posts(session) == list(range(1, 10))


async def test_the_snapshot_of_a_reset_and_what_follows_fit_together(talk: Talk) -> None:
    await talk.post(2)
    session = talk.session()
    beginning = await talk.begin(session, None)
    await talk.post(1)
    await send_pages(talk, session, beginning)
    assert beginning.welcome.inbox is not None
    (entry,) = beginning.welcome.inbox.conversations
    assert (entry.head, posts(session)) == (2, [3])


@pytest.mark.parametrize("epoch", ["same", "another"])
@pytest.mark.parametrize("ahead", [0, 1])
async def test_a_cursor_that_means_nothing_here_is_a_reset(talk: Talk, epoch: str, ahead: int) -> None:
    """One of another epoch, as after a restore, or of the future."""
    now = await head(talk.node)
    cursor = Cursor(talk.node.core.epoch if epoch == "same" else new_id(), now + ahead)
    session = talk.session()
    beginning = await talk.begin_at(session, cursor)
    assert beginning.welcome.mode == ("replay" if (epoch, ahead) == ("same", 0) else "reset")
    assert await send_pages(talk, session, beginning) == 0
    assert beginning.welcome.head == now


async def test_who_missed_too_much_gets_a_snapshot(tmp_path: Any) -> None:
    async with open_node(tmp_path, Config(limits=Limits(replay_events=3)), inline=True) as node:
        talk = await make_talk(node)
        since = await head(node)
        await talk.post(3)
        assert (await connect(talk.bob, since)).welcome["mode"] == "replay"
        await talk.post(1)
        welcome = (await connect(talk.bob, since)).welcome
        assert (welcome["mode"], welcome["inbox"]["conversations"][0]["unread"]) == ("reset", 4)


async def test_a_session_that_holds_forgets_pushes_that_the_log_had(talk: Talk) -> None:
    """The same event in the log and among what was held is sent once."""
    session = talk.session()
    since = await head(talk.node)
    await talk.node.sessions.attach(session)
    await talk.post(2)  # held, and read from the log below
    assert session.catching_up
    assert not session.frames
    session.gid = since + 1
    session.go_live()
    assert posts(session) == [2]


async def test_what_only_passes_is_for_those_who_are_live(talk: Talk) -> None:
    """It is not held: when somebody is live again, it is over or said anew."""
    session = talk.session()
    typing = Push(None, "typing", b'{"event":"typing"}')
    assert session.push(typing) is False
    session.go_live()
    assert session.push(typing) is True
    assert session.frames == [typing.json]


@pytest.mark.slow
@pytest.mark.parametrize("inline", [False, True])
def test_nothing_is_lost_or_repeated_however_it_falls(
    inline: bool, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: Any
) -> None:
    """Somebody posts while Bob's sessions come and go at any moment; each has all from its cursor on."""
    monkeypatch.setattr(resume, "PAGE_EVENTS", 3)
    monkeypatch.setattr(sessions, "MOST_HELD", 2)

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
    @given(st.lists(st.integers(0, 12), min_size=1, max_size=8), st.integers(0, 6))
    def play(pauses: list[int], before: int) -> None:
        trio.run(main, pauses, before)

    async def main(pauses: list[int], before: int) -> None:
        async with open_node(tmp_path_factory.mktemp("data"), inline=inline) as node:
            await without_flushing(node)
            talk = await make_talk(node)
            since = await head(node)
            await talk.post(before)
            begun: list[FrameSession] = []

            async def post() -> None:
                while len(begun) < len(pauses):
                    await talk.post()
                await talk.post()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(post)
                for pause in pauses:
                    for _ in range(pause):
                        await trio.lowlevel.checkpoint()
                    begun.append((await connect(talk.bob, since)).session)
            for session in begun:
                assert posts(session) == list(range(1, talk.posted + 1))

    play()
