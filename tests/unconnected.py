"""Ann, Bob and Eve without a live session, for tests that connect them themselves, or need them to be away.

Import the fixtures in a test module or `conftest.py`, where they replace those of the kit, who are connected.
"""

from __future__ import annotations

import pytest

from chatnode.node import Node
from chatnode.testing import User


@pytest.fixture
async def ann(node: Node) -> User:
    """A user who is not connected, Ann."""
    return await User.new(node, "ann")


@pytest.fixture
async def bob(node: Node) -> User:
    """A user who is not connected, Bob."""
    return await User.new(node, "bob")


@pytest.fixture
async def eve(node: Node) -> User:
    """A user who is not connected and in none of the others' conversations."""
    return await User.new(node, "eve")
