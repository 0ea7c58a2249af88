"""Fixtures: a node in the test's own trio run, and people on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio

from chatnode.client import Client, Item, Live, Pushed, connect
from chatnode.config import Config, Limits
from chatnode.node import Node, open_node

CONFIG = Config(limits=Limits(posts_per_minute=0, changes_per_minute=0, logins_per_minute=0, requests_per_minute=0))


@attrs.define
class Served:
    """A node that serves at `url`; `data` outlives it."""

    node: Node
    url: str

    async def token(self, handle: str) -> str:
        """A token of somebody; their account is made if need be."""
        try:
            await self.node.call("people.get", person=handle)
        except Exception:
            await self.node.call("people.create", handle=handle, password="correct horse")
        return (await self.node.call("tokens.create", person=handle))["token"]


@asynccontextmanager
async def served(data: Path, config: Config = CONFIG, bind: str = "127.0.0.1:0") -> AsyncIterator[Served]:
    """A node over `data`, stopped in order at the end."""
    async with open_node(data, config) as node, trio.open_nursery() as nursery:
        yield Served(node, await nursery.start(node.serve, bind))
        nursery.cancel_scope.cancel()


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path / "data") as running:
        yield running


@pytest.fixture
async def ann(node: Served) -> AsyncIterator[Client]:
    async with connect(node.url, await node.token("ann")) as client:
        yield client


@pytest.fixture
async def bob(node: Served) -> AsyncIterator[Client]:
    async with connect(node.url, await node.token("bob")) as client:
        yield client


async def until_live(client: Client) -> list[Item]:
    """Everything up to and without the next `Live`."""
    items: list[Item] = []
    with trio.fail_after(30):
        async for item in client.events():
            if isinstance(item, Live):
                return items
            items.append(item)
    raise AssertionError("the events ended")


async def until_event(client: Client, name: str) -> None:
    """Until the next event of this name."""
    with trio.fail_after(30):
        async for item in client.events():
            if isinstance(item, Pushed) and item.name == name:
                return
    raise AssertionError("the events ended")


async def texts(client: Client, count: int) -> list[str]:
    """The texts of the next `count` messages among the events."""
    found: list[str] = []
    with trio.fail_after(60):
        async for item in client.events():
            if isinstance(item, Pushed) and item.name == "message.posted":
                found.append(item.fields["message"]["text"])
                if len(found) == count:
                    return found
    raise AssertionError("the events ended")
