"""A node that serves in the test's own trio run, and tokens of the people on it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from chatnode.config import Config, Limits, Server
from chatnode.node import Node
from chatnode.testing import User
from tests.unconnected import ann, bob, eve

from .clients import Address, Http, serving

__all__ = ["ann", "bob", "eve"]


@pytest.fixture
def config() -> Config:
    """A node that stops quickly."""
    return Config(server=Server(shutdown_seconds=1.0), limits=Limits())


@pytest.fixture
async def address(node: Node) -> AsyncIterator[Address]:
    """Where the node listens."""
    async with serving(node) as address:
        yield address


@pytest.fixture
async def http(address: Address) -> AsyncIterator[Http]:
    """One connection."""
    async with await Http.open(address) as http:
        yield http


@pytest.fixture
async def anns(ann: User) -> str:
    """A token of ann's."""
    return (await ann.call("tokens.create"))["token"]


@pytest.fixture
async def bobs(bob: User) -> str:
    """A token of bob's."""
    return (await bob.call("tokens.create"))["token"]
