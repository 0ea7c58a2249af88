"""The fixtures: a node with the plugin, and its clients."""

from __future__ import annotations

from types import ModuleType

import pytest

import chatnode_plugname

pytest_plugins = ["chatnode.testing"]


@pytest.fixture
def plugins() -> list[ModuleType]:
    """What the node runs besides the installed plugins."""
    return [chatnode_plugname]
