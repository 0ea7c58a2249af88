"""What all tests share: a node in this trio run, and people who use it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from chatnode.config import Config
from chatnode.dispatch.context import Context
from chatnode.model.people import Account
from chatnode.node import Node, open_node
from chatnode.protocol import codec
from chatnode.storage import people


class Somebody:
    """A person who runs commands as a client's session would, without a connection."""

    def __init__(self, node: Node, account: Account) -> None:
        self.node = node
        self.account = account
        self.handle = account.handle
        self.id = account.id

    async def call(self, name: str, /, **fields: Any) -> Any:
        """The result as plain values; raises `Refusal`."""
        context = Context(self.node.core, self.account, address="test")
        return codec.to_plain(await self.node.table.run(context, name, fields))


@pytest.fixture
def config() -> Config:
    """The node's settings; a module may override this fixture."""
    return Config()


@pytest.fixture
async def node(tmp_path: Path, config: Config) -> AsyncIterator[Node]:
    """A node over an empty data directory, serving nothing."""
    async with open_node(tmp_path / "data", config) as node:
        yield node


async def make_person(node: Node, handle: str, *, admin: bool = False) -> Somebody:
    """An account without a password."""
    await node.call("people.create", handle=handle, admin=admin)
    return Somebody(node, await node.core.db.read(lambda reader: people.find(reader, handle)))


@pytest.fixture
async def ann(node: Node) -> Somebody:
    return await make_person(node, "ann")


@pytest.fixture
async def bob(node: Node) -> Somebody:
    return await make_person(node, "bob")


@pytest.fixture
async def eve(node: Node) -> Somebody:
    """Somebody who is in none of the others' conversations."""
    return await make_person(node, "eve")
