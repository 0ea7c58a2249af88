"""A server that echoes text, made of the node's own transport: the listener, the reader of frames, the client socket's
loop and its outbox. Only what a request means is replaced. `python -m tests.autobahn.echo PORT`
"""

from __future__ import annotations

import sys
import tempfile

import trio

from chatnode.addresses import parse_bind
from chatnode.config import Config, Limits
from chatnode.dispatch.caller import Caller
from chatnode.node import Node, open_node
from chatnode.transport.connection import Connection
from chatnode.transport.greeting import Greeting
from chatnode.transport.head import Head
from chatnode.transport.listener import Listener, listen
from chatnode.transport.requests import SessionRequests
from chatnode.transport.socket import ClientSocket
from chatnode.transport.sockets import ClientSockets

CONFIG = Config(limits=Limits(hello_frames=0, hello_bytes=0))


class EchoRequests(SessionRequests):
    """Each text is answered with itself, in a task."""

    def begin(self, texts: list[bytes]) -> None:
        if texts:
            self.need_task().texts = texts

    async def reply_to(self, text: bytes, caller: Caller) -> bytes | None:
        try:
            text.decode()
        except UnicodeDecodeError:
            self._source.refuse_text()
            return None
        return text


class EchoSocket(ClientSocket):
    """Answers from the first text on."""

    requests_kind = EchoRequests

    async def _begin(self, greeting: Greeting) -> bool:
        data, self._connection.buffered = self._connection.buffered, b""
        if data:
            await self.requests.answer(self._hear(data, trio.current_time()))
        return await self.take_rest()


class EchoSockets(ClientSockets):
    """Read by a hub, as the node's are."""

    kind = EchoSocket


async def serve_echo(node: Node, port: int, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
    """Serve on loopback until cancelled; reports the URL."""

    async def on_http(connection: Connection, head: Head) -> bool:
        return False

    listening = listen(parse_bind(f"127.0.0.1:{port}"))
    try:
        async with trio.open_nursery() as nursery:
            sockets = EchoSockets(node.core, node.table, node.sessions, nursery)
            listener = Listener(CONFIG, None, sockets.serve, on_http, trio.lowlevel.checkpoint)
            await nursery.start(listener.serve, listening, trio.Event())
            task_status.started(f"http://127.0.0.1:{listening[0].getsockname()[1]}")
    finally:
        for each in listening:
            each.close()


async def _main(port: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with open_node(folder, CONFIG, only=[]) as node:
            await serve_echo(node, port)


if __name__ == "__main__":
    trio.run(_main, int(sys.argv[1]))
