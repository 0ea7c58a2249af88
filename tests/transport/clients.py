"""Raw clients: HTTP, event stream and client socket over a byte stream, with nothing done behind a test's back.

Every wait is bounded, so that a node that owes an answer fails a test and does not hang it.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit

import attrs
import trio
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Response as UpgradeResponse
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from chatnode.dispatch.table import CommandTable
from chatnode.errors import Refusal
from chatnode.node import Node

PATIENCE = 10.0
"""Seconds that a test waits for something that must happen. A bound on hanging, not a measure of speed."""

Address = tuple[str, int]
Json = dict[str, Any]


def address_of(url: str) -> Address:
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port


@asynccontextmanager
async def serving(node: Node) -> AsyncIterator[Address]:
    """The node serves on a free port; at the end it is stopped, as by SIGTERM."""
    async with trio.open_nursery() as nursery:
        yield address_of(await nursery.start(node.serve, "127.0.0.1:0"))
        nursery.cancel_scope.cancel()


def replace_handler(node: Node, name: str, handler: Callable[..., Any]) -> None:
    """Have `handler` carry out a command of the node, which must not be serving yet."""
    node.table = CommandTable(attrs.evolve(each, handler=handler) if each.name == name else each for each in node.table)


async def wait_for(true: Callable[[], object], within: float = 3) -> None:
    """Until it is true. Nothing tells of it, so it is asked again and again."""
    with trio.fail_after(within):
        while not true():  # noqa: ASYNC110
            await trio.sleep(0.01)


async def wait_live(node: Node, sessions: int) -> None:
    """Until so many sessions are live."""
    await wait_for(lambda: len(node.sessions) == sessions)


class Ended(Exception):
    """The node closed the connection while something was awaited."""


class Wire:
    """A connection: bytes out, and bytes in up to a mark or a number."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.buffer = bytearray()

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await trio.aclose_forcefully(self.stream)

    async def send(self, data: bytes) -> None:
        with trio.fail_after(PATIENCE):
            await self.stream.send_all(data)

    async def receive(self) -> bytes:
        """The next bytes, empty at the end."""
        with trio.fail_after(PATIENCE):
            try:
                return bytes(await self.stream.receive_some(65_536))
            except trio.BrokenResourceError:
                return b""

    async def until(self, mark: bytes) -> bytes:
        """Everything up to and with the mark."""
        while (at := self.buffer.find(mark)) < 0:
            await self._more()
        return self._cut(at + len(mark))

    async def exactly(self, size: int) -> bytes:
        while len(self.buffer) < size:
            await self._more()
        return self._cut(size)

    async def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        while data := await self.receive():
            self.buffer += data
        return self._cut(len(self.buffer))

    async def _more(self) -> None:
        data = await self.receive()
        if not data:
            raise Ended(bytes(self.buffer))
        self.buffer += data

    def _cut(self, size: int) -> bytes:
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data


async def open_wire(
    address: Address,
    *,
    tls: ssl.SSLContext | None = None,
    receive_buffer: int | None = None,
    source: str | None = None,
    name: str = "localhost",
) -> trio.abc.Stream:
    """A connection; a small `receive_buffer` makes the node's sends block early. `name` is that of the certificate."""
    connection = trio.socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    if source is not None:
        await connection.bind((source, 0))
    try:
        with trio.fail_after(PATIENCE):
            await connection.connect(address)
            stream = trio.SocketStream(connection)
            if tls is None:
                return stream
            secure = trio.SSLStream(stream, tls, server_hostname=name, https_compatible=True)
            await secure.do_handshake()
            return secure
    except BaseException:
        connection.close()
        raise


# ---- HTTP


@attrs.frozen
class Response:
    """`headers` has lower-case names; `raw` is head and body as they came, chunks put together."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Json:
        """The `error` part; fails when there is none."""
        return self.json["error"]


class Http(Wire):
    """One HTTP connection, kept alive for as long as the node does."""

    @classmethod
    async def open(cls, address: Address, **options: Any) -> Http:
        return cls(await open_wire(address, **options))

    async def request(
        self, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Send a request, with Host and Content-Length, and take its response."""
        await self.send(head(method, target, body, headers) + (body or b""))
        return await self.response(bodiless=method == "HEAD")

    async def call(self, command: str, token: str | None = None, **fields: Any) -> Response:
        """POST a command as JSON."""
        headers = {"Content-Type": "application/json"} | bearer(token)
        return await self.request("POST", f"/v1/{command}", json.dumps(fields).encode(), headers)

    async def get(self, command: str, token: str | None = None, **fields: Any) -> Response:
        """GET a reading command."""
        return await self.request("GET", f"/v1/{command}?{urlencode(fields)}", headers=bearer(token))

    async def response_head(self) -> tuple[int, dict[str, str], bytes]:
        raw = await self.until(b"\r\n\r\n")
        status_line, *lines = raw.decode("latin-1").split("\r\n")[:-2]
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return int(status_line.split(" ")[1]), headers, raw

    async def response(self, *, bodiless: bool = False) -> Response:
        """The next response on the connection."""
        status, headers, raw = await self.response_head()
        if bodiless or status in (101, 204, 304):
            body = b""
        elif headers.get("transfer-encoding") == "chunked":
            body = b""
            while chunk := await self.chunk():
                body += chunk
        elif "content-length" in headers:
            body = await self.exactly(int(headers["content-length"]))
        else:
            body = await self.rest()
        return Response(status, headers, body, raw + body)

    async def chunk(self) -> bytes:
        """The next chunk of a body; empty at its end."""
        size = int(await self.until(b"\r\n"), 16)
        return (await self.exactly(size + 2))[:-2]


def head(method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> bytes:
    """A request's head. Headers of value "" are left out."""
    fields: dict[str, str] = {"Host": "localhost"}
    if body is not None:
        fields["Content-Length"] = str(len(body))
    fields |= headers or {}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items() if value)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def bearer(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token is not None else {}


# ---- event stream


@attrs.frozen
class StreamEvent:
    """One event of a stream; `data` is its JSON."""

    event: str
    data: Json
    id: str | None


class EventStream(Http):
    """`GET /v1/events`, after a status of 200."""

    @classmethod
    async def open(  # type: ignore[override]
        cls,
        address: Address,
        token: str | None = None,
        last: str | None = None,
        *,
        query: str = "",
        path: str = "/v1/events",
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> EventStream:
        stream = cls(await open_wire(address, **options))
        fields = bearer(token) | ({"Last-Event-ID": last} if last is not None else {}) | dict(headers or {})
        await stream.send(head("GET", path + query, headers=fields))
        status, stream.headers, _ = await stream.response_head()
        if status != 200:
            raise AssertionError(f"no stream but {status}")
        stream._text = bytearray()
        return stream

    headers: Mapping[str, str]
    _text: bytearray

    async def raw(self) -> bytes:
        """The next bytes as they come; empty at the end."""
        return await self.chunk()

    async def block(self) -> str | None:
        """The next lines up to an empty one: an event or a comment. None when the stream has ended in order."""
        while (at := self._text.find(b"\n\n")) < 0:
            chunk = await self.chunk()
            if not chunk:
                assert not self._text, bytes(self._text)
                return None
            self._text += chunk
        block = self._text[:at].decode()
        del self._text[: at + 2]
        return block

    async def next(self) -> StreamEvent | None:
        """The next event; comments are passed over."""
        while (block := await self.block()) is not None:
            fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
            if "event" in fields:
                return StreamEvent(fields["event"], json.loads(fields["data"]), fields.get("id"))
        return None

    async def take(self, event: str) -> StreamEvent:
        """The next event of this name."""
        while (found := await self.next()) is not None:
            if found.event == event:
                return found
        raise Ended(event)


# ---- client socket


class Closed(Exception):
    """The node closed the socket. `code` is None when it just ended."""

    def __init__(self, close: Close | None) -> None:
        super().__init__(close)
        self.code = close.code if close else None
        self.reason = close.reason if close else ""


class NotUpgraded(Exception):
    """The upgrade was answered with something else."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class ChatSocket(Wire):
    """A client socket. Pushes that come while a reply is awaited are kept in `pushes`, and replies in `replies`."""

    response: UpgradeResponse
    """The answer to the upgrade."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        super().__init__(stream)
        self.protocol = self._protocol("/v1/socket")
        self.pushes: deque[Json] = deque()
        self.frames: deque[Json] = deque()
        self.replies: dict[int | str | None, Json] = {}
        self.pings = 0
        self._fragments: list[bytes] = []
        self._count = 0

    @staticmethod
    def _protocol(path: str) -> ClientProtocol:
        return ClientProtocol(parse_uri(f"ws://localhost{path}"), max_size=None)

    @classmethod
    async def open(
        cls,
        address: Address,
        *,
        headers: Mapping[str, str] | None = None,
        path: str = "/v1/socket",
        **options: Any,
    ) -> ChatSocket:
        """Connect and upgrade; raises `NotUpgraded`."""
        chat = cls(await open_wire(address, **options))
        chat.protocol = cls._protocol(path)
        request = chat.protocol.connect()
        for name, value in (headers or {}).items():
            request.headers[name] = value
        chat.protocol.send_request(request)
        try:
            await chat._flush()
            while not (events := chat.protocol.events_received()):
                data = await chat.receive()
                if not data:
                    raise Ended("before the upgrade")
                chat.protocol.receive_data(data)
            response, *frames = events
            assert isinstance(response, UpgradeResponse)
            chat.response = response
            if chat.protocol.state is not OPEN:
                raise NotUpgraded(response.status_code)
        except BaseException:
            await trio.aclose_forcefully(chat.stream)
            raise
        chat._take(frames)
        return chat

    @classmethod
    async def signed_in(cls, address: Address, token: str, cursor: Json | None = None, **options: Any) -> ChatSocket:
        """Connected, said hello, and live."""
        chat = await cls.open(address, **options)
        await chat.hello(token, cursor=cursor)
        await chat.push("live")
        return chat

    # ---- out

    async def ask(self, *requests: Json) -> None:
        """Send requests as they are, in one write."""
        for request in requests:
            self.protocol.send_text(json.dumps(request).encode())
        await self._flush()

    async def ping(self, data: bytes = b"") -> None:
        self.protocol.send_ping(data)
        await self._flush()

    async def _flush(self) -> None:
        if data := b"".join(self.protocol.data_to_send()):
            await self.send(data)

    # ---- in

    async def frame(self) -> Json:
        """The next text frame; raises `Closed`."""
        while not self.frames:
            await self.read()
        return self.frames.popleft()

    async def read(self) -> None:
        """Take whatever comes next, and answer pings; raises `Closed`."""
        data = await self.receive()
        if data:
            self.protocol.receive_data(data)
        else:
            self.protocol.receive_eof()
        self._take(self.protocol.events_received())
        if not data or (self.protocol.close_rcvd is not None and not self.frames):
            raise Closed(self.protocol.close_rcvd)
        await self._flush()

    def _take(self, events: list[Any]) -> None:
        for event in events:
            if not isinstance(event, Frame):
                continue
            if event.opcode is Opcode.PING:
                self.pings += 1
            if event.opcode in (Opcode.TEXT, Opcode.CONT):
                self._fragments.append(bytes(event.data))
                if event.fin:
                    self.frames.append(json.loads(b"".join(self._fragments)))
                    self._fragments.clear()

    async def reply(self, number: int | str) -> Json:
        """The reply with this id; pushes and other replies that come before it are kept."""
        while number not in self.replies:
            frame = await self.frame()
            if "event" in frame:
                self.pushes.append(frame)
            else:
                self.replies[frame["id"]] = frame
        return self.replies.pop(number)

    async def call(self, op: str, **fields: Any) -> Any:
        """Ask and wait for the answer; raises `Refusal`."""
        self._count += 1
        number = f"call-{self._count}"
        await self.ask({"id": number, "op": op, **fields})
        reply = await self.reply(number)
        if "ok" in reply:
            return reply["ok"]
        error = reply["error"]
        raise Refusal(error["code"], error["message"], path=error.get("path"), retry_after=error.get("retry_after"))

    async def hello(self, token: str | None = None, **fields: Any) -> Json:
        """Say hello; gives the welcome."""
        given = {"token": token} | fields
        present = {name: value for name, value in given.items() if value is not None}
        return (await self.call("hello", **present))["welcome"]

    async def push(self, event: str | None = None) -> Json:
        """The next push, of this event if it is given; others are dropped."""
        while True:
            push = self.pushes.popleft() if self.pushes else await self.frame()
            if push.get("event") == event or (event is None and "event" in push):
                return push

    async def pushes_to_the_end(self, event: str) -> tuple[list[Json], Closed]:
        """Every push of this event until the node closes, and how it did."""
        pushes: list[Json] = []
        try:
            while True:
                pushes.append(await self.push(event))
        except Closed as closed:
            return pushes, closed

    async def closed(self) -> Closed:
        """Read to the end; how the node closed it."""
        while True:
            try:
                await self.read()
            except Closed as closed:
                return closed

    async def raw(self) -> bytes:
        """The next bytes as they come, what was read already first; empty at the end."""
        kept = json.dumps([*self.pushes, *self.frames]) if self.pushes or self.frames else ""
        self.pushes.clear()
        self.frames.clear()
        return kept.encode() or await self.receive()
