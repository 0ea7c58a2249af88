"""What the dialogues are written in: people who talk, devices that sign in, and refusals that are expected."""

from __future__ import annotations

from collections.abc import Awaitable
from itertools import count
from typing import Any

import argon2
import pytest
import trio

from chatnode.config import Config, Limits
from chatnode.dispatch.caller import Caller
from chatnode.errors import Refusal
from chatnode.node import Node
from chatnode.protocol import codec
from chatnode.services.sign_in import authenticate
from chatnode.storage.people import people
from chatnode.testing import LiveSession, User, refused
from tests.conftest import make_person

__all__ = ["LiveSession", "User", "refused"]
PASSWORD = "correct horse battery"
_quick = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
_cids = count(1)


def with_limits(**limits: Any) -> pytest.MarkDecorator:
    """Run a test on a node whose `config.limits` are these."""
    name = ", ".join(f"{key}={value}" for key, value in limits.items())
    return pytest.mark.parametrize("config", [Config(limits=Limits(**limits))], ids=[name])


without_plugins = pytest.mark.parametrize("only_plugins", [()], ids=["no plugins"])
"""Run a test on a node that has nothing but what is its own."""


async def anew(node: Node, handle: str) -> User:
    """Somebody with the role that they have by now."""
    return User(node, await node.core.db.read(lambda reader: people.find(reader, handle)))


async def outcome(asked: Awaitable[Any]) -> str:
    """`ok`, or the code of the refusal: for tables of who may do what."""
    try:
        await asked
    except Refusal as refusal:
        return refusal.code
    return "ok"


# ---- talking


def new_cid() -> str:
    return f"cid-{next(_cids)}"


async def direct(one: User, other: User) -> str:
    """Their direct conversation."""
    return await one.direct(other)


async def group(owner: User, *members: User, title: str = "a group", **fields: Any) -> str:
    """A private group, unless `visibility` says otherwise."""
    return await owner.group(*members, title=title, **fields)


async def say(who: User, conversation: str, text: str, **fields: Any) -> dict[str, Any]:
    """Post; gives what the command gives."""
    return await who.call("messages.post", conversation=conversation, cid=new_cid(), text=text, **fields)


async def fill(who: User, conversation: str, text: str, times: int) -> None:
    """Post the same many times, in few commits."""
    async with trio.open_nursery() as nursery:
        for _ in range(times):
            nursery.start_soon(say, who, conversation, text)


async def said(who: User | Device, conversation: str, **fields: Any) -> list[str]:
    """The texts that `messages.list` shows."""
    return [
        message["text"]
        for message in (await who.call("messages.list", conversation=conversation, **fields))["messages"]
    ]


async def entry(who: User, conversation: str) -> dict[str, Any]:
    """The conversation in somebody's inbox."""
    inbox = await who.call("inbox.list")
    return next(each for each in inbox["conversations"] if each["conversation"] == conversation)


async def members(who: User, conversation: str) -> dict[str, str]:
    """Handle → role."""
    page = await who.call("conversations.members.list", conversation=conversation)
    return {each["person"]["handle"]: each["role"] for each in page["members"]}


async def assert_sound(node: Node) -> None:
    """`node.check` finds nothing wrong."""
    checked = await node.call("node.check")
    assert checked["clean"], [check for check in checked["checks"] if check["problems"]]


# ---- signing in


class Visitor:
    """Somebody not signed in, at an address."""

    def __init__(self, node: Node, address: str = "192.0.2.1") -> None:
        self.node = node
        self.address = address

    async def call(self, name: str, /, **fields: Any) -> Any:
        context = Caller(self.node.core, address=self.address)
        return codec.to_plain(await self.node.table.run(context, name, fields))

    async def sign_in(self, handle: str, password: str = PASSWORD, **fields: Any) -> Device:
        done = await self.call("sessions.create", handle=handle, password=password, **fields)
        return Device(self.node, done["token"])


class Device:
    """A device, or a program with a token: shows it with every call, as over HTTP."""

    def __init__(self, node: Node, token: str) -> None:
        self.node = node
        self.token = token

    async def call(self, name: str, /, **fields: Any) -> Any:
        found = await authenticate(self.node.core, self.token)
        context = Caller(self.node.core, address="192.0.2.1")
        context.sign_in(found)
        return codec.to_plain(await self.node.table.run(context, name, fields))

    async def session(self) -> int:
        """The number of this device's session."""
        return (await authenticate(self.node.core, self.token)).session

    async def live(self) -> LiveSession:
        """A live session of this device."""
        found = await authenticate(self.node.core, self.token)
        return await LiveSession.of(self.node, User(self.node, found.account), found.session)


async def with_password(node: Node, handle: str, password: str = PASSWORD, *, admin: bool = False) -> User:
    """An account with a password that was hashed with argon2id at little cost, which the hash says itself."""
    person = await make_person(node, handle, admin=admin)
    hashed = _quick.hash(password)
    await node.core.db.write(lambda tx: people.set_password(tx, person.account.key, hashed))
    return person


async def token_of(maker: User, **fields: Any) -> Device:
    """A program with a token, which `maker` made: their own unless `person` says whose."""
    return Device(maker.node, (await maker.call("tokens.create", **fields))["token"])
