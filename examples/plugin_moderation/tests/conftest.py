"""A node with this plugin, and people who talk."""

from __future__ import annotations

from types import ModuleType

import chatnode_moderation
import pytest

pytest_plugins = ["chatnode.testing"]


@pytest.fixture
def plugins() -> list[ModuleType]:
    """What the node runs besides the installed plugins."""
    return [chatnode_moderation]
