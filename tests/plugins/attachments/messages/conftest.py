"""A node with attachments, people, and files that they uploaded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import chatnode_attachments
import pytest

from chatnode.config import Config
from chatnode.node import Node, open_node
from chatnode.testing.columns import promised_columns_only
from tests.plugins.attachments.messages.uploaded import Sender, Uploads


@pytest.fixture
async def node(tmp_path: Path, config: Config) -> AsyncIterator[Node]:
    async with open_node(tmp_path / "data", config, only=[chatnode_attachments]) as node:
        assert [each.state for each in node.plugins.statuses()] == ["running"]
        async with promised_columns_only(node, [chatnode_attachments]):
            yield node


@pytest.fixture
def uploads(node: Node) -> Uploads:
    return Uploads(node)


@pytest.fixture
async def ann(node: Node) -> Sender:
    return await Sender.new(node, "ann")


@pytest.fixture
async def bob(node: Node) -> Sender:
    return await Sender.new(node, "bob")


@pytest.fixture
async def eve(node: Node) -> Sender:
    return await Sender.new(node, "eve")
