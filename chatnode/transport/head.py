"""The head of an HTTP request, read by the listener to know where a connection goes.

Stricter than it need be: what is odd here is an attack or a mistake far more often than a request, and the
servers behind the listener have ended on some of it (docs/adr/0004-own-listener.md).
"""

from __future__ import annotations

import re
from http import HTTPStatus
from urllib.parse import urlsplit

import attrs

from chatnode.errors import Refusal
from chatnode.protocol import codec

_END = b"\r\n\r\n"
_REQUEST_LINE = re.compile(rb"([A-Z]{1,20}) ([\x21-\x7e]+) HTTP/1\.([01])")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\x20-\x7e\t]*?)[ \t]*")
_SINGLE = (b"host", b"content-length", b"transfer-encoding", b"authorization", b"origin", b"sec-websocket-key")


class BadHead(Exception):
    """The head is not one; `status` is the HTTP status to answer with."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@attrs.define
class Head:
    """Method, target and fields (names in lower case) of a request, and the bytes they came in."""

    method: bytes
    target: bytes
    fields: dict[bytes, bytes]
    raw: bytes

    @property
    def path(self) -> bytes:
        return self.target.partition(b"?")[0]

    def field(self, name: bytes) -> str:
        return self.fields.get(name, b"").decode("ascii")

    @property
    def wants_websocket(self) -> bool:
        return self.fields.get(b"upgrade", b"").lower() == b"websocket"


def end_of_head(data: bytearray, searched: int) -> int:
    """Where the head ends in `data` (behind the empty line), -1 if it does not yet."""
    found = data.find(_END, max(0, searched - len(_END)))
    return -1 if found < 0 else found + len(_END)


def parse_head(raw: bytes) -> Head:
    """Raises `BadHead`."""
    line, *lines = raw[: -len(_END)].split(b"\r\n")
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        if re.fullmatch(rb"[A-Z]+ [\x21-\x7e]+ HTTP/\d(\.\d)?", line):
            raise BadHead(505, "this port speaks HTTP/1.0 and HTTP/1.1")
        raise BadHead(400, "the request line is malformed")
    method, target, minor = match.groups()
    if not _is_target(target):
        raise BadHead(400, "the request target is malformed")
    fields: dict[bytes, bytes] = {}
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is None:
            raise BadHead(400, "a header field is malformed or not ASCII")
        name, value = field[1].lower(), field[2]
        if name in fields:
            if name in _SINGLE:
                raise BadHead(400, f"more than one {name.decode()} field")
            value = fields[name] + b", " + value
        fields[name] = value
    if minor == b"1" and b"host" not in fields:
        raise BadHead(400, "no Host field")
    if b"content-length" in fields and b"transfer-encoding" in fields:
        raise BadHead(400, "both Content-Length and Transfer-Encoding")
    return Head(method, target, fields, raw)


def _is_target(target: bytes) -> bool:
    """Origin form, absolute form or `*` (RFC 9112, section 3.2)."""
    if target.startswith(b"/") or target == b"*":
        return True
    try:
        parts = urlsplit(target)
        return parts.scheme in (b"http", b"https") and bool(parts.netloc)
    except ValueError:
        return False


def refusal_response(status: int, reason: str) -> bytes:
    """A whole response that says no and closes."""
    code = {431: "too_large", 503: "unavailable"}.get(status, "bad_request")
    body = codec.encode({"error": Refusal(code, reason).as_json()})
    return (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode() + body
