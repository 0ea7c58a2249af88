"""A server that echoes text, made of the node's own transport: the listener, the reader of frames, the client socket's
loop and its outbox. Only what a request means is replaced. `python -m tests.autobahn.echo PORT`
"""

from __future__ import annotations

import sys
import tempfile

import trio

from chatnode.config import Config, Limits
from chatnode.dispatch.caller import Caller
from chatnode.node import Node, open_node
from chatnode.transport.head import Head
from chatnode.transport.listener import Connection, Listener, listen
from chatnode.transport.origins import Credentials
from chatnode.transport.socket import ClientSocket

CONFIG = Config(limits=Limits(hello_frames=0))


class EchoSocket(ClientSocket):
    """Answers each text with itself, from the first on."""

    async def _begin(self) -> bool:
        data, self._connection.buffered = self._connection.buffered, b""
        if data:
            await self._answer(self._hear(data))
        return self._reader.untouched or await self._take_rest()

    async def _reply_to(self, data: bytes, context: Caller) -> bytes | None:
        try:
            data.decode()
        except UnicodeDecodeError:
            self._reader.refuse_text()
            return None
        return data


async def serve_echo(node: Node, port: int, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
    """Serve on loopback until cancelled; reports the URL."""
    with listen("127.0.0.1", port) as listening:
        async with trio.open_nursery() as nursery:

            async def on_socket(connection: Connection, head: Head) -> bool:
                credentials = Credentials("", None)
                await EchoSocket(node.core, node.table, node.sessions, connection, credentials, nursery.start_soon).run(
                    head
                )
                return False

            async def on_http(connection: Connection, head: Head) -> bool:
                return False

            listener = Listener(CONFIG, None, on_socket, on_http, trio.lowlevel.checkpoint)
            task_status.started(await nursery.start(listener.serve, listening, trio.Event()))


async def _main(port: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with open_node(folder, CONFIG, only=[]) as node:
            await serve_echo(node, port)


if __name__ == "__main__":
    trio.run(_main, int(sys.argv[1]))
