"""A node with contacts, and people who may keep them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import chatnode_contacts
import pytest

from chatnode.config import Config
from chatnode.node import Node, open_node
from chatnode.testing import User


@pytest.fixture
async def node(tmp_path: Path, config: Config) -> AsyncIterator[Node]:
    async with open_node(tmp_path / "data", config, only=[chatnode_contacts]) as node:
        assert [each.state for each in node.plugins.statuses()] == ["running"]
        yield node


@pytest.fixture
async def cay(node: Node) -> User:
    return await User.new(node, "cay")
