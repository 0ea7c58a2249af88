"""The fixtures: a node with the plugin, and its clients."""

from __future__ import annotations

from types import ModuleType

import pytest

import chatnode_plugname

pytest_plugins = ["chatnode.testing"]


@pytest.fixture
def plugins() -> list[ModuleType]:
    """The plugins of the node."""
    return [chatnode_plugname]
