"""Who is online, as their connections come and go; typing and statuses as frames."""

from __future__ import annotations

import pytest
import trio

from chatnode.config import Config, Limits, PresenceSettings, Server
from chatnode.node import Node
from chatnode.testing import User
from tests.services.dialogue import PASSWORD, with_password

from .clients import Address, ChatSocket, EventStream, Http


@pytest.fixture
def config() -> Config:
    """Nobody is waited for, and somebody silent is soon gone."""
    return Config(
        server=Server(shutdown_seconds=1.0), limits=Limits(idle_seconds=1),
        presence=PresenceSettings(grace_seconds=0, interval_seconds=0),
    )  # fmt: skip


async def told(chat: ChatSocket, handle: str, online: bool) -> dict[str, object]:
    """Wait for the push that says so."""
    with trio.fail_after(10):
        while True:
            push = await chat.push("presence")
            if (push["person"]["handle"], push["online"]) == (handle, online):
                return push


async def test_signing_in_and_out_is_told(address: Address, node: Node, ann: User, anns: str) -> None:
    bob = await with_password(node, "bob")
    await ann.direct(bob)
    async with await ChatSocket.signed_in(address, anns) as chat, await Http.open(address) as http:
        given = (await http.call("sessions.create", handle="bob", password=PASSWORD)).json
        async with await ChatSocket.signed_in(address, given["token"]) as bobs:
            assert "gid" not in await told(chat, "bob", True)
            (session,) = [each for each in (await bobs.call("sessions.list"))["sessions"] if each["current"]]
            await http.call("sessions.revoke", given["token"], session=session["session"])
            gone = await told(chat, "bob", False)
            assert gone["last_active_at"]
            (found,) = (await chat.call("presence.get", people=["bob"]))["people"]
            assert (found["online"], found["last_active_at"] >= gone["last_active_at"]) == (False, True)


async def test_who_asks_for_no_presence_gets_none(address: Address, ann: User, bob: User, anns: str, bobs: str) -> None:
    talk = await ann.direct(bob)
    async with (
        await ChatSocket.signed_in(address, anns) as chat,
        await ChatSocket.open(address) as silent,
        await EventStream.open(address, anns, query="?presence=false") as stream,
    ):
        await silent.hello(anns, presence=False)
        await stream.take("live")
        async with await ChatSocket.signed_in(address, bobs) as bobs_chat:
            await told(chat, "bob", True)
            await bobs_chat.call("messages.post", conversation=talk, cid="one", text="hello")
        while (event := await stream.next()) is not None and event.event != "message.posted":
            assert event.event != "presence"
        while (push := await silent.push())["event"] != "message.posted":
            assert push["event"] != "presence"


async def test_a_connection_that_breaks_is_told(address: Address, ann: User, bob: User, anns: str, bobs: str) -> None:
    await ann.direct(bob)
    async with await ChatSocket.signed_in(address, anns) as chat:
        async with await ChatSocket.signed_in(address, bobs):
            await told(chat, "bob", True)
        await told(chat, "bob", False)


async def test_who_stays_silent_is_offline(address: Address, ann: User, bob: User, anns: str, bobs: str) -> None:
    """Bob's connection is open and nothing is wrong with it, but nobody answers the pings."""
    await ann.direct(bob)
    async with await ChatSocket.signed_in(address, anns) as chat, await ChatSocket.signed_in(address, bobs):
        await told(chat, "bob", True)
        await told(chat, "bob", False)


async def test_a_status_and_typing_are_pushed(address: Address, ann: User, bob: User, anns: str, bobs: str) -> None:
    talk = await ann.direct(bob)
    async with await ChatSocket.signed_in(address, anns) as chat, await ChatSocket.signed_in(address, bobs) as other:
        await told(chat, "bob", True)
        await other.call("presence.status", text="In a meeting", emoji="📅")
        push = await told(chat, "bob", True)
        while "text" not in push:
            push = await told(chat, "bob", True)
        assert (push["text"], push["emoji"]) == ("In a meeting", "📅")
        until = (await other.call("typing", conversation=talk))["until"]
        assert await chat.push("typing") == {
            "event": "typing", "conversation": talk, "person": {"id": bob.id, "handle": "bob"}, "until": until,
        }  # fmt: skip
