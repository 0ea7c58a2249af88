"""A process with a node in which files come and go; it says what is acknowledged. `test_kills.py` kills it.

python -m tests.plugins.attachments.store.life DATA
"""

from __future__ import annotations

import sys
from pathlib import Path

import trio
from chatnode_attachments.state import Attachments

from chatnode.config import Config
from chatnode.node import open_node
from chatnode.testing import User
from tests.plugins.attachments.store.storing import PLUGINS, Uploader, context

PARTS = (b"hello, ", b"this is the content ", b"of a file")
CONTENT = b"".join(PARTS)
OTHER = b"another content"


def acknowledge(*words: str) -> None:
    print(*words, flush=True)


async def live(data: Path) -> None:
    async with open_node(data, Config(), only=PLUGINS) as node:
        ann = Uploader(node, await User.new(node, "ann"))
        collector = node.core.state(Attachments).collector
        # In parts, and the same content twice.
        for _ in range(2):
            id, offset = await ann.creates(len(CONTENT)), 0
            acknowledge("upload", id, "0")
            for part in PARTS:
                await ann.sends(id, part, offset)
                offset += len(part)
                acknowledge("upload", id, str(offset))
        other = await ann.uploads(OTHER)
        acknowledge("upload", other.id, str(len(OTHER)))
        given_up = await ann.creates(10)
        await ann.sends(given_up, b"12345")
        acknowledge("upload", given_up, "5")
        await collector.collect(context(node))
        # One copy goes, a content goes with its only file, and an upload is given up.
        acknowledge("going", id, other.id, given_up)
        await node.core.db.write(
            lambda tx: tx.execute("DELETE FROM attachments_files WHERE id IN (?, ?)", (id, other.id))
        )
        async with ann.store.lock(given_up):
            await ann.store.terminate(ann.ctx, await ann.store.find(ann.ctx, given_up))
        await collector.collect(context(node))
        acknowledge("done")


if __name__ == "__main__":
    trio.run(live, Path(sys.argv[1]))
