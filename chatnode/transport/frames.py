"""From a client's bytes to its text messages.

RFC 6455 is `websockets`' sans-I/O protocol's business. The one kind of frame that nearly all traffic is made
of, a whole text message in one masked frame, is recognised here and unmasked at once, at a tenth of the cost;
everything else is handed to the protocol, frame by frame: a few at a time, as each costs thirty times its bytes.
Most connections never need it after the upgrade, so its object, some 3 KiB, exists only while it has something to do.
"""

from __future__ import annotations

from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import CONNECTING, OPEN, State
from websockets.server import ServerProtocol
from websockets.speedups import apply_mask

_WHOLE_TEXT = 0x81  # FIN and opcode 1, no reserved bits
_CLOSE = 0x88
_MASKED = 0x80
_RESERVED_BITS = 0x70
_CONTROL = 0x08
_MOST_CONTROL_BYTES = 125
_NO_LIMIT = 2**63
_FRAMES_AT_ONCE = 32
"""Frames that one `feed` hands to the protocol: about a millisecond."""


class MessageReader:
    """Reads one connection. After each `feed`, `control` is to be sent at once, and when the connection does not go on
    (`open`), `closing` behind the answers to the texts that came before."""

    __slots__ = ("_buffer", "_fragments", "_most_bytes", "_protocol", "frames", "unread", "untouched")

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes or _NO_LIMIT
        self._protocol: ServerProtocol | None = self._make_protocol(CONNECTING)
        self._buffer = b""
        self._fragments: bytearray | None = None
        self.frames = 0
        """How many frames went to the protocol: control frames and fragments."""
        self.unread = False
        """Whether whole frames may be left, which `feed(b"")` goes on with."""
        self.untouched = False
        """Whether the last `feed` needed nothing of the protocol: then there is nothing to send, and it goes on."""

    def _make_protocol(self, state: State) -> ServerProtocol:
        # Compression is never agreed on: 255 KiB on the wire could be 256 MiB in memory.
        return ServerProtocol(state=state, max_size=None if self._most_bytes == _NO_LIMIT else self._most_bytes)

    @property
    def protocol(self) -> ServerProtocol:
        """Between two frames of an open connection the protocol remembers nothing, so a new one goes on as well."""
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
        """What is left to send: the close frame, behind the answers to control frames that came with it."""
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
            if self._is_wrong(first, second, length):
                self._to_protocol(data[at:], texts)
                return texts
            end = body + length
            if end > size:
                break
            if first == _WHOLE_TEXT and not self._in_message:
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
        """Whether the protocol will refuse the frame by its head, so that its body need not be waited for."""
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
            self._drop_fragments()  # it may stand between fragments, but the protocol would call it an error
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
