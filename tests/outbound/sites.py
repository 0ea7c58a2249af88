"""Servers of other people, on this machine: they answer as a script says, and remember what they were sent."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from ipaddress import IPv4Network, IPv6Network
from typing import Any

import attrs
import trio

from chatnode.config import OutboundSettings
from chatnode.metrics import Metrics
from chatnode.outbound.client import Outbound
from chatnode.outbound.purpose import Purpose

PUBLIC = "93.184.215.14"
"""Judged, and never connected to."""

Script = Callable[[trio.abc.Stream, bytes], Awaitable[None]]
"""Called with each request, head and body together. When it raises or closes the stream, the connection ends."""


def answer(body: bytes = b"", status: int = 200, **headers: str) -> bytes:
    """An answer in HTTP/1.1; the names of headers with `_` for `-`."""
    fields = {"content-length": str(len(body))} | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status} So", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answers(*each: bytes) -> Script:
    """One after another; the last is repeated."""
    left = list(each)

    async def say(stream: trio.abc.Stream, request: bytes) -> None:
        await stream.send_all(left.pop(0) if len(left) > 1 else left[0])

    return say


async def drop(stream: trio.abc.Stream, request: bytes = b"") -> None:
    """A script that never answers, and ends when the other side closes."""
    while await stream.receive_some():
        pass
    raise EOFError


@attrs.define
class Site:
    """`open` connections are there now, of all that there were."""

    host: str
    port: int
    scheme: str = "http"
    connections: int = 0
    open: int = 0
    most_open: int = 0
    requests: list[bytes] = attrs.field(factory=list[bytes])
    calm: trio.Event = attrs.field(factory=trio.Event)

    @property
    def place(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def url(self, path: str = "/", host: str | None = None) -> str:
        return f"{self.scheme}://{f'{host}:{self.port}' if host else self.place}{path}"

    async def wait_closed(self) -> None:
        """Until no connection is open."""
        with trio.fail_after(10):
            while self.open:
                self.calm = trio.Event()
                await self.calm.wait()


@asynccontextmanager
async def site(
    script: Script | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
) -> AsyncGenerator[Site]:
    """A server; it ends with the block. It answers "ok" if no script says otherwise."""
    script = script or answers(answer(b"ok"))
    listeners = await trio.open_tcp_listeners(port, host=host)
    there = Site(host, listeners[0].socket.getsockname()[1], "http" if tls is None else "https")

    async def serve(stream: trio.abc.Stream) -> None:
        there.connections += 1
        there.open += 1
        there.most_open = max(there.most_open, there.open)
        if tls is not None:
            stream = trio.SSLStream(stream, tls, server_side=True, https_compatible=True)
        try:
            buffer = b""
            while True:
                request, buffer = await read_request(stream, buffer)
                there.requests.append(request)
                await script(stream, request)
        except (trio.BrokenResourceError, trio.ClosedResourceError, EOFError):
            pass
        finally:
            there.open -= 1
            there.calm.set()
            await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, listeners)
        yield there
        nursery.cancel_scope.cancel()


async def read_request(stream: trio.abc.Stream, buffer: bytes) -> tuple[bytes, bytes]:
    """A request, and what was read after it. Raises `EOFError` at the end."""

    async def more() -> bytes:
        data = await stream.receive_some()
        if not data:
            raise EOFError
        return bytes(data)

    while b"\r\n\r\n" not in buffer:
        buffer += await more()
    length = 0
    for line in buffer.partition(b"\r\n\r\n")[0].lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    whole = buffer.index(b"\r\n\r\n") + 4 + length
    while len(buffer) < whole:
        buffer += await more()
    return buffer[:whole], buffer[whole:]


Names = Mapping[str, Sequence[str]] | Callable[[str], Sequence[str]]


@asynccontextmanager
async def outbound(
    *allow: str,
    names: Names | None = None,
    own: Sequence[IPv4Network | IPv6Network] | None = None,
    metrics: Metrics | None = None,
    **settings: Any,
) -> AsyncGenerator[Outbound]:
    """A client; `names` answers in place of the system's resolver."""
    more: dict[str, Any] = {}
    if names is not None:
        more["lookup"] = names if callable(names) else lambda host: _found(names, host)
    if own is not None:
        more["own"] = lambda: frozenset(own)
    client = Outbound(OutboundSettings(allow=allow, **settings), metrics or Metrics(), **more)
    try:
        yield client
    finally:
        await client.aclose()


def _found(names: Mapping[str, Sequence[str]], host: str) -> Sequence[str]:
    if host not in names:
        raise OSError(f"no address for {host}")
    return names[host]


def purpose(name: str = "test", **rules: Any) -> Purpose:
    """One for tests."""
    return Purpose(name, **rules)
