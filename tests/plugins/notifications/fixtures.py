"""Fixtures of the tests of deliveries: a node with the plugin, and a server beside it that it may post to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import chatnode_notifications
import pytest

from chatnode.config import Config
from chatnode.node import Node
from chatnode.testing import configured
from tests.plugins.notifications.alerting import Alerts
from tests.plugins.notifications.push_service import PushService, push_service


@pytest.fixture
def only_plugins() -> Sequence[Any]:
    return [chatnode_notifications]


@pytest.fixture
def plugins(only_plugins: Sequence[Any]) -> Sequence[Any]:
    """Whose SQL the kit watches."""
    return only_plugins


@pytest.fixture
async def service() -> AsyncIterator[PushService]:
    async with push_service() as service:
        yield service


@pytest.fixture
def settings() -> dict[str, Any]:
    """More settings of the plugin."""
    return {}


@pytest.fixture
def config(service: PushService, settings: dict[str, Any]) -> Config:
    return configured(
        outbound={"allow": [f"127.0.0.1:{service.port}"]},
        plugins={
            "notifications": {
                "contact": "mailto:chat@chatnode.org", "registrations_per_minute": 0, "tests_per_minute": 0, **settings,
            },
        },
    )  # fmt: skip


@pytest.fixture
def alerts(node: Node) -> Alerts:
    return Alerts(node)
