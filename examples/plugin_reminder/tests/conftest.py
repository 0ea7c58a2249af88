"""A node with this plugin, and people who talk."""

from __future__ import annotations

from types import ModuleType

import chatnode_reminder
import pytest

pytest_plugins = ["chatnode.testing"]


@pytest.fixture
def plugins() -> list[ModuleType]:
    """The plugins of the node."""
    return [chatnode_reminder]
