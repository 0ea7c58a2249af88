"""Runs the works of a node to their end, in a process of its own that tests kill: `run_works DATA`."""

from __future__ import annotations

import sys
from pathlib import Path

import chatnode_crm
import trio
from chatnode_crm.imports import works

from chatnode.config import Config
from chatnode.node import open_node


async def main(data: Path) -> None:
    works.MOST_ROWS = 40  # so that there are many slices to be killed in
    works.PLAN_ROWS = 40
    async with open_node(data, Config(), only=[chatnode_crm]) as node:
        print("open", flush=True)
        await node.works.run_due()
        while (await node.call("work.list", status="waiting"))["works"]:  # it waits, having been killed often
            await trio.sleep(0.05)
            await node.works.run_due()
    print("done", flush=True)


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]))
