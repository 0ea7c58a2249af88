"""A TCP proxy in front of a node, for connections that are cut, held, or die without a word."""

from __future__ import annotations

from collections.abc import Callable

import trio

from chatnode.concurrency import Signal


class Proxy:
    """Forwards to the node at `target`, a URL; `url` is its own. Run it with `nursery.start(proxy.run)`."""

    def __init__(self, target: str) -> None:
        self.lead_to(target)
        self._connections: set[trio.CancelScope] = set()
        self._may_answer = trio.Event()
        self._may_answer.set()
        self.refuses = False
        self.cuts_after: int | None = None
        """Bytes in one direction after which a connection is cut."""
        self.stalls_after: int | None = None
        """Bytes from a client after which no more of its bytes go further."""
        self._moved = Signal()
        self.sent = 0
        """Bytes that went to the node."""
        self.connections = 0
        self.url = ""

    def lead_to(self, target: str) -> None:
        """Where further connections go."""
        host, _, port = target.removeprefix("http://").rpartition(":")
        self._target = host, int(port)

    async def run(self, task_status: trio.TaskStatus[str]) -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, self._forward, listeners)
            task_status.started(self.url)

    async def wait_sent(self, count: int) -> None:
        """Until so many bytes went to the node."""
        while self.sent < count:
            await self._moved.wait()

    def cut(self) -> None:
        """End every connection now."""
        for scope in self._connections:
            scope.cancel()

    def hold_answers(self) -> None:
        """What the node says goes no further, until `cut` or `let_answer`."""
        self._may_answer = trio.Event()

    def let_answer(self) -> None:
        self._may_answer.set()

    async def _forward(self, client: trio.SocketStream) -> None:
        if self.refuses:
            await client.aclose()
            return
        self.connections += 1
        try:
            node = await trio.open_tcp_stream(*self._target)
        except OSError:
            await client.aclose()
            return
        async with client, node, trio.open_nursery() as nursery:
            self._connections.add(nursery.cancel_scope)
            try:
                nursery.start_soon(self._pump, client, node, nursery.cancel_scope, None)
                await self._pump(node, client, nursery.cancel_scope, lambda: self._may_answer)
            finally:
                self._connections.discard(nursery.cancel_scope)

    async def _pump(
        self,
        source: trio.SocketStream,
        sink: trio.SocketStream,
        connection: trio.CancelScope,
        gate: Callable[[], trio.Event] | None,
    ) -> None:
        try:
            passed = 0
            while data := await source.receive_some():
                if gate is not None:
                    await gate().wait()
                elif self.stalls_after is not None and passed >= self.stalls_after:
                    await trio.sleep_forever()
                else:
                    self.sent += len(data)
                    self._moved.notify()
                passed += len(data)
                await sink.send_all(data)
                if self.cuts_after is not None and passed >= self.cuts_after:
                    break
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        connection.cancel()
