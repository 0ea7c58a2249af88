"""A node that may die before it answers: `python -m tests.plugins.webhooks.incoming.life DIRECTORY dies|lives`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import chatnode_webhooks
import trio
from chatnode_webhooks.incoming import answers

from chatnode.api import Response
from chatnode.node import open_node


def die(message: str) -> Response:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError(message)


async def live(data: Path) -> None:
    async with open_node(data, only=[chatnode_webhooks]) as node, trio.open_nursery() as nursery:
        print(await nursery.start(node.serve, "127.0.0.1:0"), flush=True)


if __name__ == "__main__":
    if sys.argv[2] == "dies":
        answers.accepted = die
    trio.run(live, Path(sys.argv[1]))
