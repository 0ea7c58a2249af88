"""Cleans up the imports of a node, in a process of its own that is killed when it removes its first file:
`run_cleanup DATA`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

import chatnode_crm
import trio

from chatnode.config import Config
from chatnode.node import open_node


def die(*_: object, **__: object) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


async def main(data: Path) -> None:
    async with open_node(data, Config(), only=[chatnode_crm]) as node:
        Path.unlink = die
        await node.call("jobs.run", job="crm.imports")


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]))
