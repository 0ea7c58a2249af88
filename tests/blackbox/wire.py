"""A raw client over a blocking socket: any bytes, any HTTP, any frame, and the node's JSON on top.

`Wire` is a connection that may misbehave; `Chat` is one that has said hello.
"""

import base64
import json
import os
import re
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from .frames import Frame, FrameReader, Op, build_frame
from .node_process import Address

Json = dict[str, Any]
#: How long a test waits for something that must happen. A bound on hanging, not a measure of speed.
PATIENCE = 10.0
STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})")


class Refused(Exception):
    """The node answered a request with an error."""

    def __init__(self, error: Json) -> None:
        super().__init__(error)
        self.error = error
        self.code: str = str(error.get("code"))


class Closed(Exception):
    """The node closed the connection while something was awaited."""

    def __init__(self, code: int | None) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


@dataclass(frozen=True)
class Response:
    """The head of an HTTP response, and its body as far as `Content-Length` says."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


def upgrade_request(
    path: str = "/v1/socket", *, method: str = "GET", version: str = "HTTP/1.1", **changes: str | None
) -> bytes:
    """A correct upgrade request; `changes` replace headers (`_` for `-`) or, with None, leave them out."""
    headers: dict[str, str | None] = {
        "Host": "localhost",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Version": "13",
    }
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [f"{method} {path} {version}"]
    lines += [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@dataclass
class Wire:
    """One TCP connection to the node.

    A small `receive_buffer` makes the node's sends block early; all of 127.0.0.0/8 may be the `source`.
    """

    address: Address
    receive_buffer: int | None = None
    source: str = "127.0.0.1"
    sock: socket.socket = field(init=False)
    _pending: bytearray = field(init=False, default_factory=bytearray)
    _frames: FrameReader = field(init=False, default_factory=FrameReader)

    def __post_init__(self) -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            if self.receive_buffer is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
            sock.settimeout(PATIENCE)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.bind((self.source, 0))
            sock.connect(self.address)
        except BaseException:
            sock.close()
            raise
        self.sock = sock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- bytes -------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the socket; unread data makes the kernel answer with RST, as a crashed client would."""
        self.sock.close()

    def reset(self) -> None:
        """Close with RST at once."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def half_close(self) -> None:
        """Send FIN and go on reading."""
        self.sock.shutdown(socket.SHUT_WR)

    def send(self, data: bytes) -> bool:
        """Send bytes as they are. False when the node has closed the connection meanwhile."""
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def receive(self, within: float = PATIENCE) -> bytes | None:
        """Some bytes; b"" at the end of the stream (or after a reset); None when nothing came in time."""
        self.sock.settimeout(max(within, 0.001))
        try:
            return self.sock.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            return b""
        except TimeoutError:
            return None
        finally:
            self.sock.settimeout(PATIENCE)

    def receive_all(
        self, within: float = PATIENCE, quiet: float | None = None, quiet_after: float | None = None
    ) -> tuple[bytes, bool]:
        """What comes until the node closes, and whether it did.

        Gives up after `within` seconds, or when nothing came for `quiet` seconds (`quiet_after` once something
        has come).
        """
        data, deadline = bytearray(), time.monotonic() + within
        while (left := deadline - time.monotonic()) > 0:
            pause = quiet_after if data and quiet_after is not None else quiet
            chunk = self.receive(left if pause is None else min(left, pause))
            if chunk == b"":
                return bytes(data), True
            if chunk is None:
                break
            data += chunk
        return bytes(data), False

    # -- HTTP --------------------------------------------------------------------------------------------

    def response(self, within: float = PATIENCE) -> Response | None:
        """The next HTTP response; None when the connection ends before its head is whole."""
        deadline = time.monotonic() + within
        while b"\r\n\r\n" not in self._pending:
            if not self._more(deadline):
                return None
        head, _, rest = bytes(self._pending).partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        fields = (line.partition(":") for line in lines[1:])
        headers = {name.strip().lower(): value.strip() for name, _, value in fields}
        status = int(lines[0].split()[1])
        length = 0 if status == 101 else int(headers.get("content-length", "0"))
        self._pending[:] = rest
        while len(self._pending) < length:
            if not self._more(deadline):
                break
        body = bytes(self._pending[:length])
        del self._pending[:length]
        return Response(status, headers, body)

    def request(self, method: str, path: str, *, body: object = None, token: str | None = None) -> Response:
        """A correct HTTP request and its response."""
        data = b"" if body is None else json.dumps(body).encode()
        head = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(data)}"]
        if body is not None:
            head.append("Content-Type: application/json")
        if token is not None:
            head.append(f"Authorization: Bearer {token}")
        self.send(("\r\n".join(head) + "\r\n\r\n").encode() + data)
        answer = self.response()
        if answer is None:
            raise Closed(None)
        return answer

    def upgrade(self, path: str = "/v1/socket", **changes: str | None) -> Response:
        """Open the WebSocket; the response says whether the node agreed."""
        self.send(upgrade_request(path, **changes))
        answer = self.response()
        if answer is None:
            raise Closed(None)
        return answer

    # -- frames ------------------------------------------------------------------------------------------

    def send_frame(self, opcode: int, payload: bytes = b"", **form: Any) -> bool:
        """Send one frame; `form` as for `build_frame`."""
        return self.send(build_frame(opcode, payload, **form))

    def next_frame(self, within: float = PATIENCE) -> Frame | None:
        """The next frame; None at the end of the stream. TimeoutError when neither comes in time."""
        deadline = time.monotonic() + within
        while True:
            if self._pending:
                self._frames.feed(bytes(self._pending))
                self._pending.clear()
            if (frame := self._frames.next_frame()) is not None:
                return frame
            if not self._more(deadline):
                return None

    def close_code(self, within: float = PATIENCE) -> int | None:
        """Read until the node closes: its close code, None when it closed without a close frame.

        TimeoutError when the node keeps the connection open.
        """
        code, deadline = None, time.monotonic() + within
        while (frame := self.next_frame(deadline - time.monotonic())) is not None:
            if frame.opcode == Op.CLOSE:
                code = frame.close_code
        return code

    def _more(self, deadline: float) -> bool:
        """Read once into the pending bytes; False at the end of the stream."""
        chunk = self.receive(deadline - time.monotonic())
        if chunk is None:
            raise TimeoutError("nothing came from the node")
        self._pending += chunk
        return bool(chunk)


def welcome_of(reply: Json) -> Json:
    """The welcome in the reply to hello, in either of its two forms."""
    inner = reply.get("welcome") or (reply.get("ok") or {}).get("welcome")
    if not isinstance(inner, dict):
        raise AssertionError(f"no welcome in {reply!r}")
    return inner


def conversation_of(ok: Json) -> str:
    """The id in the answer to `conversations.create` and `conversations.direct`."""
    found = ok["conversation"]
    if isinstance(found, dict):
        found = found.get("conversation") or found.get("id")
    if not isinstance(found, str):
        raise AssertionError(f"no conversation id in {ok!r}")
    return found


def new_cid() -> str:
    """A client id for a message: a UUIDv7, as clients make them."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0b11 << 62) | 0b10 << 62
    digits = f"{value:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


class Chat(Wire):
    """A connection that speaks the protocol: hello, commands with replies, and pushes."""

    def __init__(
        self,
        address: Address,
        token: str,
        *,
        device: str = "test",
        cursor: Json | None = None,
        receive_buffer: int | None = None,
        source: str = "127.0.0.1",
    ) -> None:
        super().__init__(address, receive_buffer, source)
        self.pushes: deque[Json] = deque()
        self._last_id = 0
        try:
            answer = self.upgrade()
            if answer.status != 101:
                raise AssertionError(f"no upgrade: {answer}")
            extra = {} if cursor is None else {"cursor": cursor}
            reply = self.ask("hello", token=token, device=device, **extra)
            if "error" in reply:
                raise Refused(reply["error"])
            self.welcome = welcome_of(reply)
        except BaseException:
            self.close()
            raise

    def ask(self, op: str, **arguments: object) -> Json:
        """Send a command and give its whole reply, error or not."""
        self._last_id += 1
        self.send_json({"id": self._last_id, "op": op, **arguments})
        return self.reply_to(self._last_id)

    def call(self, op: str, **arguments: object) -> Json:
        """Send a command and give the `ok` part of its reply."""
        reply = self.ask(op, **arguments)
        if "error" in reply:
            raise Refused(reply["error"])
        ok = reply["ok"]
        assert isinstance(ok, dict)
        return ok

    def post(self, conversation: str, text: str, cid: str | None = None) -> Json:
        """Post a message."""
        return self.call("messages.post", conversation=conversation, cid=cid or new_cid(), text=text)

    def direct(self, handle: str) -> str:
        """The direct conversation with somebody."""
        return conversation_of(self.call("conversations.direct", **{"with": handle}))

    def group(self, title: str, *members: str) -> str:
        """A new group."""
        return conversation_of(self.call("conversations.create", title=title, members=list(members)))

    def send_json(self, value: object) -> bool:
        """Send one text frame of JSON."""
        return self.send_frame(Op.TEXT, json.dumps(value).encode())

    def next_json(self, within: float = PATIENCE) -> Json:
        """The next JSON frame; pings are answered, `Closed` is raised when the node closes."""
        deadline = time.monotonic() + within
        while True:
            frame = self.next_frame(deadline - time.monotonic())
            if frame is None:
                raise Closed(None)
            match frame.opcode:
                case Op.TEXT:
                    value = json.loads(frame.payload)
                    assert isinstance(value, dict), value
                    return value
                case Op.PING:
                    self.send_frame(Op.PONG, frame.payload)
                case Op.CLOSE:
                    raise Closed(frame.close_code)

    def reply_to(self, request: object, within: float = PATIENCE) -> Json:
        """The reply with this id; pushes that come first are kept in `pushes`."""
        deadline = time.monotonic() + within
        while True:
            value = self.next_json(deadline - time.monotonic())
            if "event" in value:
                self.pushes.append(value)
            elif value.get("id") == request:
                return value
            else:
                raise AssertionError(f"a reply nobody asked for: {value!r}")

    def wait_push(self, wanted: Callable[[Json], bool], within: float = PATIENCE) -> Json:
        """The first push that `wanted` accepts; those before it are dropped."""
        deadline = time.monotonic() + within
        while True:
            while self.pushes:
                if wanted(push := self.pushes.popleft()):
                    return push
            value = self.next_json(deadline - time.monotonic())
            if "event" not in value:
                raise AssertionError(f"a reply nobody asked for: {value!r}")
            self.pushes.append(value)

    def wait_message(self, text: str, within: float = PATIENCE) -> Json:
        """The push of the message with this text."""
        return self.wait_push(lambda push: message_of(push).get("text") == text, within)

    def alive(self) -> bool:
        """Whether a command is still answered on this connection."""
        return "ok" in self.ask("inbox.list")


def eventually(holds: Callable[[], bool], within: float = PATIENCE) -> None:
    """Wait until something holds; AssertionError when it does not in time."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, "did not come about in time"
        time.sleep(0.02)


def message_of(push: Json) -> Json:
    """The message in a `message.posted` push; empty for other pushes."""
    if push.get("event") != "message.posted":
        return {}
    message = push["message"]
    assert isinstance(message, dict), push
    return message
