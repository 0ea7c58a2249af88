"""What the tests of embedded nodes share."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import trio

from chatnode.config import Config, Limits
from chatnode.embed import aio, threads
from chatnode.routing.sessions import SessionRegistry

CONFIG = Config(limits=Limits(posts_per_minute=0, changes_per_minute=0, logins_per_minute=0, requests_per_minute=0))
PATIENCE = 20.0


def tasks(node: aio.Node | threads.Node) -> int:
    """How many tasks there are in the node's thread."""
    return on_trio(node, lambda: trio.lowlevel.current_statistics().tasks_living)


def sessions(node: aio.Node | threads.Node) -> int:
    """How many live sessions the node has."""
    inside = node._inside.node
    return on_trio(node, lambda: len(inside.core.part(SessionRegistry)))


def on_trio(node: aio.Node | threads.Node, function: Callable[[], Any]) -> Any:
    """The result of a plain function in the node's thread."""

    async def run() -> Any:
        return function()

    return node._inside.portal.submit(run).result(PATIENCE)


def until(true: Callable[[], bool]) -> None:
    """Wait, for something that tells nobody."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)
