"""A node with attachments that serves, and people who upload over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chatnode.config import Config, Server
from chatnode.node import Node, open_node
from tests.plugins.attachments.store.storing import PLUGINS
from tests.plugins.attachments.uploading.tus_client import TusClient
from tests.transport.clients import Address, serving


@pytest.fixture
def config() -> Config:
    """A node that stops quickly."""
    return Config(server=Server(shutdown_seconds=1.0))


@pytest.fixture
async def node(tmp_path: Path, config: Config) -> AsyncIterator[Node]:
    async with open_node(tmp_path / "data", config, only=PLUGINS) as node:
        assert [each.state for each in node.plugins.statuses()] == ["running"]
        yield node


@pytest.fixture
async def address(node: Node) -> AsyncIterator[Address]:
    async with serving(node) as address:
        yield address


@pytest.fixture
async def ann(node: Node, address: Address) -> AsyncIterator[TusClient]:
    async with await TusClient.signed_in(node, address, "ann") as client:
        yield client


@pytest.fixture
async def bob(node: Node, address: Address) -> AsyncIterator[TusClient]:
    async with await TusClient.signed_in(node, address, "bob") as client:
        yield client
