"""A node with the plugin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import chatnode_webhooks
import pytest


@pytest.fixture
def only_plugins() -> Sequence[Any]:
    return [chatnode_webhooks]


@pytest.fixture
def plugins(only_plugins: Sequence[Any]) -> Sequence[Any]:
    """Whose SQL the kit watches."""
    return only_plugins
