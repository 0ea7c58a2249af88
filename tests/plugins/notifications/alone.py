"""A node with the plugin alone, which judges messages at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import chatnode_notifications
import pytest

from chatnode.config import Config
from chatnode.node import Node
from chatnode.testing import User, configured


@pytest.fixture
def config() -> Config:
    return configured(
        limits={"requests_per_minute": 0, "posts_per_minute": 0},
        plugins={"notifications": {"settle_seconds": 0, "changes_per_minute": 0}},
    )


@pytest.fixture
def only_plugins() -> Sequence[Any]:
    """No other plugins. A test that needs more overrides this."""
    return [chatnode_notifications]


@pytest.fixture
def plugins(only_plugins: Sequence[Any]) -> Sequence[Any]:
    """Whose SQL the kit watches."""
    return only_plugins


@pytest.fixture
async def amy(node: Node) -> User:
    """She writes, and is not connected."""
    return await User.new(node, "amy")


@pytest.fixture
async def ben(node: Node) -> User:
    """He is not connected."""
    return await User.new(node, "ben")
