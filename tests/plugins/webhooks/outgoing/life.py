"""A node that sends events until it is killed: `python -m tests.plugins.webhooks.outgoing.life DIRECTORY AUTHORITY`."""

from __future__ import annotations

import sys
from pathlib import Path

import chatnode_webhooks
import trio
from chatnode_webhooks.outgoing.board import send_events

from chatnode.config import Config
from chatnode.node import open_node
from chatnode.testing import configured


def settings(authority: str) -> Config:
    return configured(
        outbound={"allow": [authority], "per_address": 64}, plugins={"webhooks": {"per_minute": 0}},
        limits={"posts_per_minute": 0, "changes_per_minute": 0, "requests_per_minute": 0},
    )  # fmt: skip


async def live(data: Path, authority: str) -> None:
    async with open_node(data, settings(authority), only=[chatnode_webhooks]) as node:
        print("begun", flush=True)
        await send_events(node.plugins.loaded["webhooks"].context)


if __name__ == "__main__":
    trio.run(live, Path(sys.argv[1]), sys.argv[2])
