"""A node with the plugin that sends to a receiver, and users."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import chatnode_webhooks
import pytest
import trio

from chatnode.config import Config
from chatnode.node import Node
from chatnode.outbound import breakers as breakers_module
from chatnode.testing import LiveUser, User, configured
from tests.bots import DEPLOY
from tests.plugins.webhooks.outgoing.dialogue import bot, sending
from tests.plugins.webhooks.outgoing.receiver import Receiver


@pytest.fixture
def only_plugins() -> Sequence[Any]:
    return [chatnode_webhooks]


@pytest.fixture
def plugins(only_plugins: Sequence[Any]) -> Sequence[Any]:
    """Whose SQL the kit watches."""
    return only_plugins


@pytest.fixture
async def receiver(nursery: trio.Nursery) -> AsyncGenerator[Receiver]:
    found = Receiver()
    await found.up(nursery)
    yield found
    found.down()


@pytest.fixture
async def other(nursery: trio.Nursery) -> AsyncGenerator[Receiver]:
    found = Receiver()
    await found.up(nursery)
    yield found
    found.down()


@pytest.fixture
async def dead() -> Receiver:
    """Nothing listens there."""
    return Receiver()


@pytest.fixture(autouse=True)
def breakers(monkeypatch: pytest.MonkeyPatch) -> None:
    """No receiver is left alone because it fails: these tests let time pass by changing what is stored."""
    monkeypatch.setattr(breakers_module, "FAILURES", 10**9)


@pytest.fixture
def settings() -> dict[str, Any]:
    """Of the plugin."""
    return {"per_minute": 0}


@pytest.fixture
async def config(receiver: Receiver, other: Receiver, dead: Receiver, settings: dict[str, Any]) -> Config:
    return configured(
        outbound={"allow": [each.authority for each in (receiver, other, dead)], "per_address": 64},
        plugins={"webhooks": settings},
        limits={"changes_per_minute": 0, "posts_per_minute": 0},
    )  # fmt: skip


@pytest.fixture
async def running(node: Node, nursery: trio.Nursery) -> AsyncGenerator[trio.CancelScope]:
    """The task that sends."""
    scope = await sending(node, nursery)
    yield scope
    scope.cancel()


@pytest.fixture
async def robo(node: Node, running: trio.CancelScope) -> User:
    """A bot."""
    return await bot(node, "robo")


@pytest.fixture
async def ann(node: Node) -> User:
    return await User.new(node, "ann")


@pytest.fixture
async def mia(node: Node) -> User:
    """She manages webhooks."""
    await node.call("roles.set", role="integrator", permissions=["chat", "webhooks.manage"])
    return await User.new(node, "mia", role="integrator")


@pytest.fixture
async def maker(node: Node, running: trio.CancelScope) -> LiveUser:
    """A user who may own bots."""
    await node.call("roles.set", role="maker", permissions=["chat", "groups.create", "bots.make"])
    return await LiveUser.new(node, "maker", role="maker")


@pytest.fixture
async def room(maker: User) -> str:
    return await maker.group(title="team")


@pytest.fixture
async def ci(node: Node, maker: User, room: str) -> User:
    """Her bot, which offers /deploy in her group."""
    await maker.call("bots.create", handle="ci")
    bot = await User.of(node, "ci")
    await bot.call("bots.commands.set", commands=[DEPLOY])
    await maker.call("conversations.members.add", conversation=room, member="ci")
    return bot
