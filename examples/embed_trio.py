"""A chat node inside a trio program: opened, used, served on a free port, and stopped.

    python examples/embed_trio.py DIRECTORY

It prints its address, posts a message as a user, and stops.
"""

from __future__ import annotations

import sys
from pathlib import Path

import trio

from chatnode.embed import open_node


async def main(data: Path) -> None:
    """Open a node, use it, serve it, and stop it."""
    async with open_node(data) as node:
        # Commands run without any connection: as the operator of the node, as a user, or as a bot.
        for handle in ("ann", "bob"):
            await node.operator.people.create(handle=handle)

        async with trio.open_nursery() as nursery:
            # Serving is one task. It reports its address once it accepts connections; port 0 picks a free port.
            url = await nursery.start(node.serve, "127.0.0.1:0")
            print(f"serving on {url}")

            ann = node.person("ann")
            talk = await ann.conversations.direct(with_="bob")
            posted = await ann.messages.post(conversation=talk.conversation, text="hello from the same process")
            print(f"message {posted.seq} is on disk")

            # Cancelling it stops the node cleanly: clients are told to reconnect, and queued events are sent first.
            nursery.cancel_scope.cancel()

        statistics = await node.operator.node.statistics()
        print(f"{statistics.people} people, {statistics.messages} message")


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]))
