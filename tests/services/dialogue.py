"""What the node's own dialogues need besides the kit's verbs: devices that sign in, tables of who may do what, limits.

Users talk as in the tests of a plugin: `ann.says(…)`, `bob.hears(…)`, `refused(…)` come from `chatnode.testing`.
"""

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
from chatnode.storage.people import people, sessions
from chatnode.testing import LiveSession, User

PASSWORD = "correct horse battery"
_quick = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
_cids = count(1)


def with_limits(**limits: Any) -> pytest.MarkDecorator:
    """Run a test on a node whose `config.limits` are these."""
    name = ", ".join(f"{key}={value}" for key, value in limits.items())
    return pytest.mark.parametrize("config", [Config(limits=Limits(**limits))], ids=[name])


without_plugins = pytest.mark.parametrize("only_plugins", [()], ids=["no plugins"])
"""Run a test on a node without plugins."""


async def outcome(asked: Awaitable[Any]) -> str:
    """`ok`, or the code of the refusal: for tables of who may do what."""
    try:
        await asked
    except Refusal as refusal:
        return refusal.code
    return "ok"


def new_cid() -> str:
    return f"cid-{next(_cids)}"


async def fill(who: User, conversation: str, text: str, times: int) -> None:
    """Post the same text many times, in few commits."""
    async with trio.open_nursery() as nursery:
        for _ in range(times):
            nursery.start_soon(who.says, conversation, text)


async def rows_written(node: Node) -> int:
    """How many rows the node has inserted, changed and deleted since it was opened."""
    return await node.core.db.maintain(lambda connection: connection.total_changes)


async def assert_sound(node: Node) -> None:
    """`node.check` finds nothing wrong."""
    checked = await node.call("node.check")
    assert checked["clean"], [check for check in checked["checks"] if check["problems"]]


# ---- signing in


class Visitor:
    """A client that is not signed in, at an address."""

    def __init__(self, node: Node, address: str = "192.0.2.1") -> None:
        self.node = node
        self.address = address

    async def call(self, name: str, /, **fields: Any) -> Any:
        context = Caller(self.node.core, address=self.address)
        return codec.to_plain(await self.node.table.run(context, name, fields))

    async def sign_in(self, handle: str, password: str = PASSWORD, **fields: Any) -> Device:
        done = await self.call("sessions.create", handle=handle, password=password, **fields)
        return await Device.with_token(self.node, done["token"])


class Device(User):
    """A device, or a program with a token: a user who shows the token with every call, as over HTTP."""

    secret: str

    @classmethod
    async def with_token(cls, node: Node, token: str) -> Device:
        """The device with this token. Finding its owner does not count as using the token."""
        device = cls(node, (await node.core.db.read(lambda reader: sessions.authenticate(reader, token))).account)
        device.secret = token
        return device

    async def call(self, name: str, /, **fields: Any) -> Any:
        context = Caller(self.node.core, address="192.0.2.1")
        context.sign_in(await authenticate(self.node.core, self.secret))
        return codec.to_plain(await self.node.table.run(context, name, fields))

    async def session(self) -> int:
        """The number of this device's session."""
        return (await authenticate(self.node.core, self.secret)).session

    async def live(self) -> LiveSession:
        """A live session of this device."""
        return await LiveSession.of(self.node, self, await self.session())


async def with_password(node: Node, handle: str, password: str = PASSWORD, *, admin: bool = False) -> User:
    """An account with a password that was hashed with argon2id at little cost, which the hash says itself."""
    person = await User.new(node, handle, admin=admin)
    hashed = _quick.hash(password)
    await node.core.db.write(lambda tx: people.set_password(tx, person.account.key, hashed))
    return person


async def token_of(maker: User, **fields: Any) -> Device:
    """A program with a token made by `maker`: their own, or that of the user given as `person`."""
    return await Device.with_token(maker.node, (await maker.call("tokens.create", **fields))["token"])
