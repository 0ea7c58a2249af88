"""A node that serves attachments, and people with tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import chatnode_attachments
import pytest

from chatnode.config import Config
from chatnode.node import open_node
from tests.transport.clients import Address, serving

from .storing import Storing


@pytest.fixture
async def storing(tmp_path: Path, config: Config) -> AsyncIterator[Storing]:
    async with open_node(tmp_path / "data", config, only=[chatnode_attachments]) as node:
        assert [each.state for each in node.plugins.statuses()] == ["running"]
        yield Storing(node)


@pytest.fixture
async def address(storing: Storing) -> AsyncIterator[Address]:
    async with serving(storing.node) as address:
        yield address
