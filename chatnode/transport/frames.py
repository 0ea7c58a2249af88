"""From a client's bytes to its text messages.

RFC 6455 is left to the sans-I/O protocol of `websockets`. Nearly all traffic consists of one kind of frame, a whole
text message in one masked frame: it is recognized here and unmasked at once, at a tenth of the cost. All other frames
are handed to the protocol, a few at a time, because each takes about 30 µs. Most connections never need the protocol
after the upgrade, so its object, some 3 KiB, exists only while it has work.
"""

from __future__ import annotations

from http import HTTPStatus

from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import CONNECTING, OPEN, State
from websockets.server import ServerProtocol
from websockets.speedups import apply_mask

from chatnode.errors import Refusal
from chatnode.protocol import codec

_WHOLE_TEXT = 0x81  # FIN and opcode 1, no reserved bits
_CLOSE = 0x88
_MASKED = 0x80
_RESERVED_BITS = 0x70
_CONTROL = 0x08
_MOST_CONTROL_BYTES = 125
_NO_LIMIT = 2**63
_FRAMES_AT_ONCE = 32
"""Frames that one `feed` hands to the protocol at most: about a millisecond's work."""


class MessageReader:
    """Reads one connection. After each `feed`, send `control` at once; if the connection is not `open` any more, send
    `closing` behind the answers to the texts that came before."""

    __slots__ = ("_buffer", "_fragments", "_most_bytes", "_protocol", "frames", "unread", "untouched")

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes or _NO_LIMIT
        self._protocol: ServerProtocol | None = self._make_protocol(CONNECTING)
        self._buffer = b""
        self._fragments: bytearray | None = None
        self.frames = 0
        """The number of frames that went to the protocol: control frames and fragments."""
        self.unread = False
        """Whether whole frames may be left; `feed(b"")` goes on with them."""
        self.untouched = False
        """Whether the last `feed` did not need the protocol: there is nothing to send, and the connection is open."""

    def _make_protocol(self, state: State) -> ServerProtocol:
        # Compression is never agreed on: 255 KiB on the wire could be 256 MiB in memory.
        return ServerProtocol(state=state, max_size=None if self._most_bytes == _NO_LIMIT else self._most_bytes)

    @property
    def protocol(self) -> ServerProtocol:
        """Made when it is needed: between two messages of an open connection a protocol object holds no state."""
        if self._protocol is None:
            self._protocol = self._make_protocol(OPEN)
        return self._protocol

    @property
    def open(self) -> bool:
        return self._protocol is None or self._protocol.state is OPEN

    def control(self) -> bytes:
        """Answers to control frames, while the connection goes on."""
        return self.closing() if self.open else b""

    def closing(self) -> bytes:
        """What is left to send: answers to control frames, then the close frame. Drops the protocol if it is done."""
        if self._protocol is None:
            return b""
        data = b"".join(self._protocol.data_to_send())
        if self._protocol.state is OPEN and not self._in_message:
            self._protocol = None
        return data

    @property
    def _in_message(self) -> bool:
        """Whether a message has begun whose last fragment is still to come."""
        return self._protocol is not None and self._protocol.current_size is not None

    def upgrade(self, head: bytes, cookie: str = "") -> bool:
        """Answer the upgrade request; the answer is in `closing`. False when it is not even a request.

        `cookie` is the value of a Set-Cookie field of the answer.
        """
        protocol = self.protocol
        protocol.receive_data(head)
        requests = protocol.events_received()
        if not requests or not isinstance(requests[0], Request):
            return False
        response = protocol.accept(requests[0])
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            _put_in_json(response)
        if cookie:
            response.headers["Set-Cookie"] = cookie
        protocol.send_response(response)
        return True

    def feed(self, data: bytes) -> list[bytes]:
        """The text messages that `data` completes, in order. They may still turn out not to be UTF-8."""
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        texts: list[bytes] = []
        self.untouched = self.open
        self.unread = False
        most_frames = self.frames + _FRAMES_AT_ONCE
        at, size = 0, len(data)
        while size - at >= 2 and self.open:
            first, second = data[at], data[at + 1]
            length = second & 0x7F
            body = at + 6
            if length > _MOST_CONTROL_BYTES:
                body += 2 if length == 126 else 8
                if size < body - 4:
                    break
                length = int.from_bytes(data[at + 2 : body - 4], "big")
            is_text = first == _WHOLE_TEXT and second & _MASKED and length <= self._most_bytes
            if not is_text and self._is_wrong(first, second, length):
                self._to_protocol(data[at:], texts)
                return texts
            end = body + length
            if end > size:
                break
            if is_text and (self._protocol is None or not self._in_message):
                texts.append(apply_mask(data[body:end], data[body - 4 : body]))
            elif self.frames < most_frames:
                self._to_protocol(data[at:end], texts)
            else:
                self.unread = True
                break
            at = end
        self._buffer = data[at:]
        return texts

    def _is_wrong(self, first: int, second: int, length: int) -> bool:
        """Whether the protocol will refuse the frame for its head, so that there is no need to wait for its body."""
        return (
            not second & _MASKED
            or bool(first & _RESERVED_BITS)
            or length > self._most_bytes
            or (bool(first & _CONTROL) and length > _MOST_CONTROL_BYTES)
        )

    def _to_protocol(self, data: bytes, texts: list[bytes]) -> None:
        self.untouched = False
        self.frames += 1
        if data[0] == _CLOSE:
            self._drop_fragments()  # allowed between fragments, but the protocol would call it an error
        protocol = self.protocol
        protocol.receive_data(data)
        for event in protocol.events_received():
            if not isinstance(event, Frame):
                continue
            if event.opcode is Opcode.BINARY:
                protocol.fail(CloseCode.UNSUPPORTED_DATA, "text frames only")
                return
            if event.opcode in (Opcode.TEXT, Opcode.CONT):
                if self._fragments is None:
                    self._fragments = bytearray()
                self._fragments += event.data
                if event.fin:
                    texts.append(bytes(self._fragments))
                    self._fragments = None

    def _drop_fragments(self) -> None:
        self._fragments = None
        self.protocol.current_size = None

    def refuse_text(self) -> None:
        """The last text was not UTF-8: fail the connection, as RFC 6455 section 8.1 says."""
        self.untouched = False
        self.protocol.fail(CloseCode.INVALID_DATA, "not UTF-8")


def _put_in_json(response: Response) -> None:
    """A refusal in the form of the node's others."""
    reason = response.body.decode(errors="replace").strip()
    code = "bad_request" if response.status_code < 500 else "internal"
    response.body = codec.encode({"error": Refusal(code, reason).as_json()})
    for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(response.body)))):
        del response.headers[name]
        response.headers[name] = value
