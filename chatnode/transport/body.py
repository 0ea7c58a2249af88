"""The body of a request, without input and output: bytes as they came in, the body's bytes out.

A reader takes what belongs to its request and not a byte more: the rest is the next request's head.
"""

from __future__ import annotations

import re
from typing import Protocol

from chatnode.transport.head import BadRequest, Head

_MOST_LINE_BYTES = 1_024
"""A line of a chunked body: a size with its extensions, or a trailer field."""
_MOST_TRAILERS = 64
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(;[\x20-\x7e\t]*)?")
_TRAILER = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\x20-\x7e\t]*")


class BodyReader(Protocol):
    """`done` once the body is whole, `left` how many bytes are still to come as far as is known."""

    done: bool
    left: int

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """The part of the body in `data`, and what of `data` lies behind the body. Raises `BadRequest`."""
        ...


def body_reader(head: Head) -> BodyReader:
    return ChunkedBody() if head.chunked else SizedBody(head.content_length)


class SizedBody:
    """A body of known length."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.done = not size

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        part, rest = data[: self.left], data[self.left :]
        self.left -= len(part)
        self.done = not self.left
        return part, rest


class ChunkedBody:
    """A body in chunks (RFC 9112, section 7.1). Extensions and trailers are checked and dropped.

    Lines end in CRLF and nothing else, as in a head: readers who disagree about that are how requests are smuggled.
    """

    def __init__(self) -> None:
        self.left = 0
        self.done = False
        self._line = b""
        """The beginning of a line whose end has not come."""
        self._read_line = self._read_size
        self._trailers = 0

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        parts: list[bytes] = []
        while data and not self.done:
            if self.left:
                parts.append(data[: self.left])
                data = data[self.left :]
                self.left -= len(parts[-1])
            else:
                data = self._feed_line(data)
        return b"".join(parts), data

    def _feed_line(self, data: bytes) -> bytes:
        """Take a line if it is whole; returns what is behind it."""
        line, end, rest = data.partition(b"\n")
        line = self._line + line
        if len(line) > _MOST_LINE_BYTES:
            raise BadRequest(400, "a line of the chunked body is too long")
        if not end:
            self._line = line
            return b""
        self._line = b""
        if not line.endswith(b"\r"):
            raise BadRequest(400, "the lines of a chunked body end in CRLF, not in LF")
        self._read_line(line[:-1])
        return rest

    def _read_size(self, line: bytes) -> None:
        match = _SIZE.fullmatch(line)
        if match is None:
            raise BadRequest(400, "the size of a chunk is malformed")
        self.left = int(match[1], 16)
        self._read_line = self._read_end_of_chunk if self.left else self._read_trailer

    def _read_end_of_chunk(self, line: bytes) -> None:
        if line:
            raise BadRequest(400, "a chunk is longer than it says")
        self._read_line = self._read_size

    def _read_trailer(self, line: bytes) -> None:
        self._trailers += 1
        if line and (_TRAILER.fullmatch(line) is None or self._trailers > _MOST_TRAILERS):
            raise BadRequest(400, "a trailer field is malformed, or there are too many")
        self.done = not line
