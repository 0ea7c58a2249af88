"""WebSocket frames without I/O: build any frame, right or wrong, and read the frames a server sends.

RFC 6455, section 5.2. Nothing here refuses to build a broken frame: breaking them is the point.
"""

import os
from dataclasses import dataclass
from enum import IntEnum


class Op(IntEnum):
    """The opcodes of RFC 6455; everything else is reserved."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


@dataclass(frozen=True)
class Frame:
    """One frame as it came from the server."""

    opcode: int
    payload: bytes
    fin: bool = True
    rsv: int = 0
    masked: bool = False

    @property
    def close_code(self) -> int | None:
        """The code of a close frame; None when its body is empty."""
        return int.from_bytes(self.payload[:2], "big") if len(self.payload) >= 2 else None


def build_frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    mask: bool = True,
    declared_length: int | None = None,
    length_form: int | None = None,
) -> bytes:
    """The bytes of one frame.

    `declared_length` lies about the payload's length, `length_form` (7, 16 or 64) forces a longer length
    field than needed, `mask=False` leaves the mask out (which a server must refuse).
    """
    length = len(payload) if declared_length is None else declared_length
    if length_form is None:
        length_form = 7 if length < 126 else 16 if length < 65536 else 64
    first = (0x80 if fin else 0) | (rsv << 4) | opcode
    bit = 0x80 if mask else 0
    match length_form:
        case 7:
            head = bytes([first, bit | length])
        case 16:
            head = bytes([first, bit | 126]) + length.to_bytes(2, "big")
        case _:
            head = bytes([first, bit | 127]) + length.to_bytes(8, "big")
    if not mask:
        return head + payload
    key = os.urandom(4)
    return head + key + apply_mask(payload, key)


def apply_mask(payload: bytes, key: bytes) -> bytes:
    """Payload XOR the repeated four-byte key."""
    if not payload:
        return b""
    repeated = (key * (len(payload) // 4 + 1))[: len(payload)]
    size = len(payload)
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big")


def close_body(code: int, reason: bytes = b"") -> bytes:
    """The body of a close frame."""
    return code.to_bytes(2, "big") + reason


class FrameReader:
    """Cuts a stream of bytes into frames: `feed` bytes, then take frames until `next_frame` gives None."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Add bytes read from the socket."""
        self._buffer += data

    def next_frame(self) -> Frame | None:
        """The next whole frame, or None while it is not all here."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        length, offset = buffer[1] & 0x7F, 2
        if length >= 126:
            width = 2 if length == 126 else 8
            if len(buffer) < offset + width:
                return None
            length = int.from_bytes(buffer[offset : offset + width], "big")
            offset += width
        masked = bool(buffer[1] & 0x80)
        end = offset + (4 if masked else 0) + length
        if len(buffer) < end:
            return None
        payload = bytes(buffer[offset + 4 : end]) if masked else bytes(buffer[offset:end])
        if masked:
            payload = apply_mask(payload, bytes(buffer[offset : offset + 4]))
        frame = Frame(buffer[0] & 0x0F, payload, bool(buffer[0] & 0x80), (buffer[0] >> 4) & 7, masked)
        del buffer[:end]
        return frame
