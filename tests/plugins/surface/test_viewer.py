"""What plugins show with messages and people may depend on who alone reads it, and in what is pushed on nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chatnode.api import Account, Querying, Reader, hookimpl
from chatnode.node import Node
from chatnode.storage.log import log
from chatnode.testing import LiveSession, User
from tests.plugins.surface.making import made, node_with

Calls = list[tuple[int, str | None]]


def secretive(calls: Calls | None = None) -> Any:
    """A plugin that tells each viewer a secret of theirs: their own handle."""

    @hookimpl
    def enrich_messages(reader: Querying, ids: list[str], viewer: Account | None) -> dict[str, Any]:
        if calls is not None:
            calls.append((len(ids), viewer and viewer.handle))
        return dict.fromkeys(ids, f"for {viewer.handle if viewer else 'all'}")

    @hookimpl
    def enrich_people(ids: list[str], viewer: Account | None) -> dict[str, Any]:
        return dict.fromkeys(ids, f"for {viewer.handle if viewer else 'all'}")

    return made("demo", enrich_messages, enrich_people)


def told(message: dict[str, Any]) -> str | None:
    return (message.get("extra") or {}).get("demo")


async def shown_to(who: User, talk: str, message: str) -> dict[str, set[str | None]]:
    """What each way to read a message tells one user."""
    me = who.call
    found = {
        "history": (await me("messages.list", conversation=talk))["messages"],
        "after": (await me("messages.list", conversation=talk, after=0))["messages"],
        "get": [(await me("messages.get", message=message))["message"]],
        "pinned": (await me("messages.pinned", conversation=talk))["messages"],
        "thread": (await me("messages.thread", message=message))["messages"],
        "inbox": [each["last"] for each in (await me("inbox.list"))["conversations"]],
        "conversation": [(await me("conversations.get", conversation=talk))["you"]["last"]],
        "search": [hit["message"] for hit in (await me("search.messages", query="hello"))["results"]],
        "people": (await me("people.list"))["people"],
        "person": [(await me("people.get", person="ann"))["person"], (await me("people.me"))["person"]],
    }
    return {way: {told(each) for each in messages} for way, messages in found.items()}


async def test_two_people_who_read_the_same_are_each_told_their_own(tmp_path: Path) -> None:
    """In turns, so that nothing of one is kept for the other."""
    async with node_with(tmp_path, secretive()) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        talk = await ann.direct(bob)
        root = await ann.says(talk, "hello")
        await bob.says(talk, "hello too", thread=root)
        await ann.call("messages.pin", message=root)
        for who in (ann, bob, ann):
            shown = await shown_to(who, talk, root)
            assert shown == {way: {f"for {who.handle}"} for way in shown}


async def test_what_is_pushed_is_for_all_and_the_reply_for_who_asked(tmp_path: Path) -> None:
    async with node_with(tmp_path, secretive()) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        talk = await ann.direct(bob)
        sessions = [await LiveSession.of(node, who) for who in (ann, bob)]
        before = sessions[0].gid
        message = await ann.says(talk, "hello")
        for name, fields in (
            ("messages.edit", {"text": "hello, you"}),
            ("messages.edit", {"text": "hello, you"}),  # which changes nothing
            ("messages.pin", {}),
            ("messages.pin", {}),
            ("messages.delete", {}),
            ("messages.delete", {}),
        ):
            reply = await ann.call(name, message=message, **fields)
            assert told(reply["message"]) == "for ann", name
        names = ("message.edited", "message.pinned", "message.deleted")
        for session in sessions:
            assert [told(each["message"]) for name in names for each in session.heard(name)] == ["for all"] * 3
        for who in (ann, bob):
            again = {event.name: event.message.extra for event in await replayed(node, who, before)}
            assert again == {"message.posted": None, **{name: {"demo": "for all"} for name in names}}


async def replayed(node: Node, who: User, since: int) -> list[Any]:
    """The events of messages that a client gets which was away."""

    def read(reader: Reader) -> list[Any]:
        gids = log.gids_since(reader, who.account, since, 1_000)
        assert gids is not None
        return [event for _, event in log.events_of(reader, who.account, gids) if hasattr(event, "message")]

    return await node.core.db.read(read)


async def test_a_page_is_asked_for_once_whatever_its_length(tmp_path: Path) -> None:
    calls: Calls = []
    async with node_with(tmp_path, secretive(calls)) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        talk = await ann.direct(bob)
        for number in range(5):
            await ann.says(talk, f"hello {number}")
        assert calls == []
        await bob.call("messages.list", conversation=talk)
        await ann.call("search.messages", query="hello")
        assert calls == [(5, "bob"), (5, "ann")]


async def test_moderators_and_the_operator_are_told_what_all_may_know(tmp_path: Path) -> None:
    """They see a message, or a person, without taking part."""
    async with node_with(tmp_path, secretive()) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        message = await ann.says(await ann.direct(bob), "rude")
        await bob.call("messages.report", message=message, reason="abuse")
        [report] = (await node.call("reports.list"))["reports"]
        assert told(report["message"]) == "for all"
        assert {told(each) for each in (await node.call("people.list"))["people"]} == {"for all"}
