"""A node with attachments, and users who upload."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chatnode.config import Config
from chatnode.node import Node, open_node
from chatnode.testing import User
from tests.plugins.attachments.store.storing import PLUGINS, Uploader


@pytest.fixture
async def node(tmp_path: Path, config: Config) -> AsyncIterator[Node]:
    async with open_node(tmp_path / "data", config, only=PLUGINS) as node:
        assert [each.state for each in node.plugins.statuses()] == ["running"]
        yield node


@pytest.fixture
async def ann(node: Node) -> Uploader:
    return Uploader(node, await User.new(node, "ann"))


@pytest.fixture
async def bob(node: Node) -> Uploader:
    return Uploader(node, await User.new(node, "bob"))
