"""A node that sends notifications, webhooks and previews, and allows no private address."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import attrs
import chatnode_notifications
import chatnode_previews
import chatnode_webhooks
import pytest
import trio

from chatnode.config import Config
from chatnode.testing import configured


@attrs.define
class Trap:
    """A service of the node's own machine, which nothing may reach."""

    port: int
    visits: int = 0


@pytest.fixture
def only_plugins() -> Sequence[Any]:
    return [chatnode_notifications, chatnode_previews, chatnode_webhooks]


@pytest.fixture
def plugins(only_plugins: Sequence[Any]) -> Sequence[Any]:
    """Whose SQL the kit watches."""
    return only_plugins


@pytest.fixture
def config() -> Config:
    return configured(
        plugins={
            "notifications": {
                "contact": "mailto:chat@chatnode.org", "registrations": 0, "registrations_per_minute": 0,
                "tests_per_minute": 0,
            },
            "previews": {"links_per_minute": 0, "direct": True},
            "webhooks": {"incoming_per_minute": 0, "endpoints_per_bot": 1_000},
        },
        limits={"changes_per_minute": 0, "posts_per_minute": 0},
    )  # fmt: skip


@pytest.fixture
async def trap(nursery: trio.Nursery) -> AsyncGenerator[Trap]:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    found = Trap(listeners[0].socket.getsockname()[1])

    async def visited(stream: trio.SocketStream) -> None:
        found.visits += 1
        await stream.aclose()

    scope = trio.CancelScope()

    async def serve() -> None:
        with scope:
            await trio.serve_listeners(visited, listeners)

    nursery.start_soon(serve)
    yield found
    scope.cancel()
