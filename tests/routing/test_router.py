"""The router: who gets an event, once and as the same bytes, whatever the others do."""

from __future__ import annotations

import json

import pytest
import trio

from chatnode.node import Node
from chatnode.protocol.envelopes import Push
from tests.properties.world import FrameSession, SignedIn, connect, new_token


class FailingSession(FrameSession):
    """A session in which `fails` is wrong: `send`, `flush` or `end`."""

    fails = ""

    def send(self, push: Push) -> None:
        if self.fails == "send" and push.gid is not None:
            raise RuntimeError("send failed")
        super().send(push)

    def flush(self) -> None:
        if self.fails == "flush":
            raise RuntimeError("flush failed")
        super().flush()

    def end(self, *, resume: bool, reason: str) -> None:
        if self.fails == "end":
            raise RuntimeError("end failed")
        super().end(resume=resume, reason=reason)


class EndingSession(FrameSession):
    """A session that is over as soon as it is sent something, as that of a reader who is too slow."""

    node: Node

    def send(self, push: Push) -> None:
        super().send(push)
        if push.gid is not None:
            self.node.sessions.detach(self)


@pytest.fixture
async def ann(node: Node) -> SignedIn:
    return await SignedIn.new(node, "ann", admin=True)


@pytest.fixture
async def bob(node: Node) -> SignedIn:
    return await SignedIn.new(node, "bob")


@pytest.fixture
async def cay(node: Node) -> SignedIn:
    return await SignedIn.new(node, "cay")


async def attach(somebody: SignedIn, kind: type[FrameSession] = FrameSession, key: int | None = None) -> FrameSession:
    """A live session, which has seen everything so far."""
    session = kind(somebody, key or somebody.session)
    await somebody.node.sessions.attach(session)
    session.go_live()
    return session


async def says_in_time(by: SignedIn, talk: str, text: str) -> None:
    """As `says`, but a publisher that fails must not leave the writer waiting."""
    with trio.fail_after(10):
        await by.says(talk, text)


async def test_an_event_is_encoded_once_for_all(node: Node, ann: SignedIn, bob: SignedIn) -> None:
    talk = await ann.group(bob)
    sessions = [await attach(somebody) for somebody in (ann, bob, bob)]
    await says_in_time(ann, talk, "hello")
    first, *others = [session.frames for session in sessions]
    assert len(first) == 1
    assert all(frames[0] is first[0] for frames in others)
    assert [session.flushed for session in sessions] == [1, 1, 1]


async def test_an_event_for_several_people_reaches_each_of_them(
    node: Node, ann: SignedIn, bob: SignedIn, cay: SignedIn
) -> None:
    await ann.group(bob, cay)
    sessions = [await attach(somebody) for somebody in (ann, bob, cay)]
    await bob.call("people.update", name="Robert")
    assert [[b"person.updated" in frame for frame in session.frames] for session in sessions] == [[True]] * 3


async def test_who_is_named_twice_gets_an_event_once(node: Node, ann: SignedIn, bob: SignedIn) -> None:
    """Bob hears the conversation from his own joining on, and is named in it."""
    session = await attach(bob)
    talk = await ann.group(bob)
    names = [frame.split(b'"event":"')[1].split(b'"')[0] for frame in session.frames]
    assert names == [b"member.joined", b"conversation.updated"]
    await ann.call("conversations.members.remove", conversation=talk, member="bob")
    await says_in_time(ann, talk, "about bob")
    assert len(session.frames) == 3


@pytest.mark.parametrize("fails", ["send", "flush"])
@pytest.mark.parametrize("position", [0, 1, 2])
async def test_a_failing_session_stops_no_other(
    node: Node, ann: SignedIn, bob: SignedIn, cay: SignedIn, fails: str, position: int
) -> None:
    talk = await ann.group(bob, cay)
    people = [ann, bob, cay]
    sessions = [
        await attach(somebody, FailingSession if number == position else FrameSession)
        for number, somebody in enumerate(people)
    ]
    failing = sessions.pop(position)
    assert isinstance(failing, FailingSession)
    failing.fails = fails
    await says_in_time(ann, talk, "hello")
    await says_in_time(ann, talk, "again")
    assert [(len(session.frames), session.flushed) for session in sessions] == [(2, 2), (2, 2)]


async def test_a_failing_session_does_not_keep_who_left_listening(
    node: Node, ann: SignedIn, bob: SignedIn, cay: SignedIn
) -> None:
    """Whatever happens while an event is handed out, memberships follow it."""
    talk = await ann.group(bob, cay)
    failing, leaving = await attach(ann, FailingSession), await attach(bob)
    assert isinstance(failing, FailingSession)
    failing.fails = "send"
    await bob.call("conversations.leave", conversation=talk)
    sent = len(leaving.frames)
    failing.fails = ""
    await says_in_time(ann, talk, "about bob")
    assert len(leaving.frames) == sent, "invariant 5: nothing reaches a non-member"


@pytest.mark.parametrize(("fails", "sent"), [("send", 0), ("flush", 1)])
async def test_a_session_that_misses_an_event_is_not_live_any_more(
    node: Node, ann: SignedIn, bob: SignedIn, fails: str, sent: int
) -> None:
    """A live session has no holes: one that could not be sent an event must not be sent the next."""
    talk = await ann.group(bob)
    session = await attach(bob, FailingSession)
    assert isinstance(session, FailingSession)
    session.fails = fails
    await says_in_time(ann, talk, "lost")
    session.fails = ""
    await says_in_time(ann, talk, "after the hole")
    assert len(session.frames) == sent
    assert session.ended is True  # and its client is to come back


async def test_a_session_that_ends_while_it_is_sent_something_stops_no_other(
    node: Node, ann: SignedIn, bob: SignedIn
) -> None:
    talk = await ann.group(bob)
    EndingSession.node = node
    sessions = [await attach(somebody, kind) for somebody in (ann, bob) for kind in (EndingSession, FrameSession)]
    await says_in_time(ann, talk, "hello")
    await says_in_time(ann, talk, "again")
    assert [len(session.frames) for session in sessions] == [1, 2, 1, 2]
    assert len(node.sessions) == 2


async def test_a_signed_out_session_is_told_and_ended_for_good(node: Node, bob: SignedIn) -> None:
    other = await new_token(node, "bob")
    here, there = await attach(bob), await attach(bob, key=other)
    await bob.call("sessions.revoke", session=other)
    assert (here.ended, there.ended) == (None, False)
    assert [len(session.frames) for session in (here, there)] == [1, 1]
    assert there.flushed == 1
    await bob.call("people.update", name="Robert")  # while the reader of the other one takes their time to go
    assert [len(session.frames) for session in (here, there)] == [2, 1]


async def test_a_changed_role_ends_all_sessions_of_a_person_to_come_back(
    node: Node, ann: SignedIn, bob: SignedIn
) -> None:
    sessions = [await attach(bob), await attach(bob), await attach(ann)]
    await ann.call("people.role", person="bob", role="admin")
    assert [session.ended for session in sessions] == [True, True, None]
    assert [session.flushed for session in sessions] == [1, 1, 0]


async def test_one_group_commit_is_one_flush(node: Node, ann: SignedIn, bob: SignedIn) -> None:
    session = await attach(bob)
    flushes = 0

    def flush() -> None:
        nonlocal flushes
        flushes += 1

    session.flush = flush  # type: ignore[method-assign]
    await ann.group(bob)
    assert (len(session.frames), flushes) == (2, 1)


async def test_who_is_not_live_costs_nothing(node: Node, ann: SignedIn, bob: SignedIn) -> None:
    connection = await connect(bob, None)
    node.sessions.detach(connection.session)
    talk = await ann.group(bob)
    await says_in_time(ann, talk, "hello")
    assert connection.take() == []
    assert len(node.sessions) == 0


@pytest.mark.parametrize(
    ("command", "fields"),
    [
        ("messages.edit", {"text": "changed"}),
        ("messages.delete", {}),
        ("messages.pin", {}),
    ],
)
async def test_what_becomes_of_a_message_is_told_to_those_who_could_see_it_and_not_to_who_came_later(
    node: Node, ann: SignedIn, bob: SignedIn, cay: SignedIn, command: str, fields: dict[str, str]
) -> None:
    talk = await ann.group(bob)
    await says_in_time(ann, talk, "before")
    message = (await ann.call("messages.list", conversation=talk))["messages"][0]["message"]
    await ann.call("conversations.members.add", conversation=talk, member="cay")
    early, late = await attach(bob), await attach(cay)
    await ann.call(command, message=message, **fields)
    await says_in_time(ann, talk, "after")
    event = {"messages.edit": "message.edited", "messages.delete": "message.deleted", "messages.pin": "message.pinned"}
    assert [json.loads(frame)["event"] for frame in early.frames] == [event[command], "message.posted"]
    assert [json.loads(frame)["event"] for frame in late.frames] == ["message.posted"]
