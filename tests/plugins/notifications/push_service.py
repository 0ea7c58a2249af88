"""A server that alerts are posted to, and that answers by script."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

Script = int | None | tuple[int, dict[str, str]]
"""The status of an answer, with its headers; None for no answer at all."""


@attrs.frozen
class Received:
    """A request. Names of headers are in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@attrs.define
class PushService:
    """`script` is what requests to a path are answered, one after the other; the last answer for ever."""

    host: str
    port: int
    received: list[Received] = attrs.field(factory=list[Received])
    script: dict[str, list[Script]] = attrs.field(factory=dict[str, "list[Script]"])
    _more: trio.Event = attrs.field(factory=trio.Event)

    def address(self, path: str) -> str:
        return f"http://{self.host}:{self.port}{path}"

    def answers(self, path: str, *script: Script) -> None:
        self.script[path] = list(script)

    def at(self, path: str) -> Sequence[Received]:
        """What came to a path."""
        return [each for each in self.received if each.path == path]

    async def gets(self, path: str, count: int = 1) -> Sequence[Received]:
        """Wait until so many requests have come to a path."""
        with trio.fail_after(30):
            while len(self.at(path)) < count:
                await self._more.wait()
        return self.at(path)

    async def serve(self, stream: trio.SocketStream) -> None:
        buffer = b""
        try:
            while True:
                while b"\r\n\r\n" not in buffer:
                    if not (more := await stream.receive_some()):
                        return
                    buffer += more
                head, _, buffer = buffer.partition(b"\r\n\r\n")
                first, *lines = head.decode("latin-1").split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                length = int(headers.get("content-length", "0"))
                while len(buffer) < length:
                    buffer += await stream.receive_some()
                body, buffer = buffer[:length], buffer[length:]
                await self._answer(stream, Received(first.split(" ")[1], headers, body))
        except trio.BrokenResourceError:
            return

    async def _answer(self, stream: trio.SocketStream, request: Received) -> None:
        self.received.append(request)
        self._more.set()
        self._more = trio.Event()
        script = self.script.get(request.path, [201])
        answer = script.pop(0) if len(script) > 1 else script[0]
        if answer is None:
            await trio.sleep_forever()
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        await stream.send_all(f"HTTP/1.1 {status} Scripted\r\nContent-Length: 0\r\n{lines}\r\n".encode())


@asynccontextmanager
async def push_service(host: str = "127.0.0.1") -> AsyncIterator[PushService]:
    """Serve until the block ends."""
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host=host)
        service = PushService(host, listener.socket.getsockname()[1])
        nursery.start_soon(trio.serve_listeners, service.serve, [listener])
        yield service
        nursery.cancel_scope.cancel()
