"""Attaching and detaching while memberships change: from when `attach` returns, nothing is missed."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from chatnode.node import Node
from chatnode.routing.sessions import SessionRegistry
from chatnode.storage.conversations import conversations
from chatnode.storage.engine.connection import Reader
from tests.properties.world import FrameSession, SignedIn
from tests.storage.harness import Gate


@pytest.fixture
async def ann(node: Node) -> SignedIn:
    return await SignedIn.new(node, "ann", admin=True)


@pytest.fixture
async def bob(node: Node) -> SignedIn:
    return await SignedIn.new(node, "bob")


async def add(ann: SignedIn, talk: str) -> None:
    await ann.call("conversations.members.add", conversation=talk, member="bob")


async def remove(ann: SignedIn, talk: str) -> None:
    await ann.call("conversations.members.remove", conversation=talk, member="bob")


def heard(registry: SessionRegistry) -> int:
    """How many conversations somebody hears."""
    return registry.conversations


def held_up_loading(patch: pytest.MonkeyPatch) -> Gate:
    """The next session of somebody that attaches is held up when what they take part in was read."""
    gate = Gate()
    of_person = conversations.of_person

    def slow(reader: Reader, person: int) -> list[int]:
        patch.setattr(conversations, "of_person", of_person)
        found = of_person(reader, person)
        gate(reader)
        return found

    patch.setattr(conversations, "of_person", slow)
    return gate


async def hears(ann: SignedIn, talk: str, session: FrameSession) -> bool:
    before = len(session.frames)
    await ann.call("messages.post", conversation=talk, cid=f"probe-{before}", text="do you hear me?")
    return len(session.frames) > before


@pytest.mark.parametrize(
    ("changes", "is_in"),
    [((), False), ((add,), True), ((add, remove), False), ((add, remove, add), True)],
    ids=["nothing", "joins", "joins-leaves", "joins-leaves-joins"],
)
@pytest.mark.parametrize("was_in", [False, True])
async def test_memberships_that_change_while_a_session_attaches(
    node: Node, ann: SignedIn, bob: SignedIn, monkeypatch: pytest.MonkeyPatch,
    changes: tuple[object, ...], is_in: bool, was_in: bool,
) -> None:  # fmt: skip
    talk = await ann.group(*[bob][:was_in])
    if was_in:
        changes = (remove, *changes) if changes else ()
        is_in = is_in or not changes
    session = FrameSession(bob, bob.session)
    gate = held_up_loading(monkeypatch)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.sessions.attach, session)
        await gate.reached.wait()
        for change in changes:
            await change(ann, talk)  # type: ignore[operator]
        gate.open()
    session.go_live()
    assert await hears(ann, talk, session) is is_in


async def test_a_second_session_waits_for_what_the_first_loads(
    node: Node, ann: SignedIn, bob: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = await ann.group(bob)
    first, second = FrameSession(bob, bob.session), FrameSession(bob, bob.session)
    attached = trio.Event()

    async def attach_second() -> None:
        await node.sessions.attach(second)
        attached.set()

    gate = held_up_loading(monkeypatch)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.sessions.attach, first)
        await gate.reached.wait()
        nursery.start_soon(attach_second)
        await trio.testing.wait_all_tasks_blocked()
        assert not attached.is_set()
        gate.open()
    for session in (first, second):
        session.go_live()
    assert len(node.sessions) == 2
    assert await hears(ann, talk, second)
    assert len(first.frames) == 1


async def test_when_loading_is_cancelled_who_waits_is_told_to_come_back(
    node: Node, ann: SignedIn, bob: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And whoever comes next hears everything, even before those who were told so have gone."""
    talk = await ann.group(bob)
    first, second, third = (FrameSession(bob, bob.session) for _ in range(3))
    gate = held_up_loading(monkeypatch)
    async with trio.open_nursery() as nursery:
        scope = trio.CancelScope()
        nursery.start_soon(attach_or_detach, node.sessions, first, scope)
        await gate.reached.wait()
        nursery.start_soon(node.sessions.attach, second)
        await trio.testing.wait_all_tasks_blocked()
        scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        gate.open()
    assert second.ended is True
    await node.sessions.attach(third)
    node.sessions.detach(second)
    third.go_live()
    assert await hears(ann, talk, third), "live, and deaf"
    node.sessions.detach(third)
    assert (len(node.sessions), heard(node.sessions)) == (0, 0)


async def attach_or_detach(registry: SessionRegistry, session: FrameSession, scope: trio.CancelScope) -> None:
    """As the client socket does."""
    with scope:
        try:
            await registry.attach(session)
        except BaseException:
            registry.detach(session)
            raise


async def test_when_loading_fails_the_session_is_gone(
    node: Node, ann: SignedIn, bob: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = await ann.group(bob)
    session = FrameSession(bob, bob.session)
    with monkeypatch.context() as patch:
        patch.setattr(conversations, "of_person", None)
        with pytest.raises(TypeError):
            await attach_or_detach(node.sessions, session, trio.CancelScope())
    assert (len(node.sessions), node.sessions.all()) == (0, [])
    again = FrameSession(bob, bob.session)
    await node.sessions.attach(again)
    again.go_live()
    assert await hears(ann, talk, again)


async def test_detaching_the_last_session_ends_the_hearing(node: Node, ann: SignedIn, bob: SignedIn) -> None:
    talk = await ann.group(bob)
    sessions = [FrameSession(bob, bob.session) for _ in range(2)]
    for session in sessions:
        await node.sessions.attach(session)
        session.go_live()
    first, second = sessions
    node.sessions.detach(first)
    node.sessions.detach(first)  # twice does nothing
    assert len(node.sessions) == 1
    assert await hears(ann, talk, second)
    assert first.frames == []
    node.sessions.detach(second)
    assert (len(node.sessions), heard(node.sessions)) == (0, 0)
    assert not await hears(ann, talk, second)


async def test_a_session_that_is_detached_while_it_attaches_leaves_nothing_behind(
    node: Node, ann: SignedIn, bob: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = await ann.group(bob)
    session = FrameSession(bob, bob.session)
    gate = held_up_loading(monkeypatch)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.sessions.attach, session)
        await gate.reached.wait()
        node.sessions.detach(session)
        gate.open()
    session.go_live()
    assert not await hears(ann, talk, session)
    assert (len(node.sessions), heard(node.sessions)) == (0, 0)
