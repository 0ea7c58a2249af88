"""A node that sends a broadcast until it is killed: `python -m tests.plugins.crm.broadcasts.life DIRECTORY`."""

from __future__ import annotations

import sys
from pathlib import Path

import chatnode_crm
import trio

from chatnode.node import open_node
from chatnode.testing import configured

CONFIG = configured(plugins={"crm": {"broadcast_footer": ""}})


async def live(data: Path) -> None:
    async with open_node(data, CONFIG, only=[chatnode_crm]) as node:
        print("begun", flush=True)
        await node.works.run_due(600)  # also what waits because the node has died in it
        await node.consumers.catch_up()
        print("done", flush=True)


if __name__ == "__main__":
    trio.run(live, Path(sys.argv[1]))
