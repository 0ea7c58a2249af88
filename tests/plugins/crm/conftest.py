"""A node with the plugin, and users with its roles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import chatnode_crm
import pytest

from chatnode.node import Node
from chatnode.testing import User


@pytest.fixture
def only_plugins() -> Sequence[Any]:
    """No other plugins. A test that needs more overrides this."""
    return [chatnode_crm]


@pytest.fixture
def plugins(only_plugins: Sequence[Any]) -> Sequence[Any]:
    """Whose SQL the kit watches."""
    return only_plugins


@pytest.fixture
async def mara(node: Node) -> User:
    """She manages contacts."""
    return await User.new(node, "mara", role="contacts_manager")


@pytest.fixture
async def vic(node: Node) -> User:
    """He may only look."""
    return await User.new(node, "vic", role="contacts_viewer")


@pytest.fixture
async def kim(node: Node) -> User:
    """She plans campaigns: lists, tags and exports."""
    return await User.new(node, "kim", role="marketing_manager")
