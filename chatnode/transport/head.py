"""The head of an HTTP request. The listener reads every one of a connection by these rules.

They are stricter than RFC 9112 has to be. What is odd here is an attack or a mistake far more often than a request, and
what two programs of a chain read differently is how one request is hidden in another
(docs/adr/0018-our-own-http-1.1.md).
"""

from __future__ import annotations

import re
from collections import defaultdict
from http import HTTPStatus
from urllib.parse import urlsplit

import attrs

from chatnode.errors import Refusal
from chatnode.model.records import record
from chatnode.protocol import codec

_END = b"\r\n\r\n"
_REQUEST_LINE = re.compile(rb"([A-Z]{1,20}) ([\x21-\x7e]+) HTTP/1\.([01])")
_OTHER_VERSION = re.compile(rb"[A-Z]+ [\x21-\x7e]+ HTTP/\d(\.\d)?")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\x20-\x7e\t]*?)[ \t]*")
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_LENGTH = re.compile(rb"\d{1,18}")
_SINGLE = frozenset(
    (b"host", b"content-length", b"transfer-encoding", b"authorization", b"origin", b"sec-websocket-key")
)


class BadRequest(Exception):
    """The bytes are no request that is taken; `status` is the HTTP status to answer with."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@record(frozen=True)
class Head:
    """Method, target and fields of a request, and the bytes they came in."""

    method: bytes
    target: bytes
    """In origin form, or `*`."""
    version: str
    """`1.0` or `1.1`."""
    fields: tuple[tuple[bytes, bytes], ...]
    """As they came, names in lower case."""
    raw: bytes
    _joined: dict[bytes, bytes]

    @property
    def path(self) -> bytes:
        return self.target.partition(b"?")[0]

    @property
    def query(self) -> bytes:
        return self.target.partition(b"?")[2]

    def below(self, base: bytes) -> Head:
        """The same request without `base`, if its path begins with it. Of `base` itself nothing is left."""
        path = self.path
        if path == base or path.startswith(base + b"/"):
            return attrs.evolve(self, target=self.target[len(base) :])
        return self

    def field(self, name: bytes) -> str:
        """A field's value; those of several fields of this name are joined by commas. Empty without one."""
        return self._joined.get(name, b"").decode("ascii")

    def tokens(self, name: bytes) -> set[str]:
        """The items of a field that is a list, in lower case."""
        return {item.strip().lower() for item in self.field(name).split(",")} - {""}

    @property
    def content_length(self) -> int:
        """Bytes of the body, 0 without one. Says nothing of a chunked one."""
        return int(self._joined.get(b"content-length", b"0"))

    @property
    def chunked(self) -> bool:
        return b"transfer-encoding" in self._joined

    @property
    def keep_alive(self) -> bool:
        """Whether the client may send a further request on the connection."""
        return self.version == "1.1" and "close" not in self.tokens(b"connection")

    @property
    def expects_continue(self) -> bool:
        """Whether the client sends the body only when it is told to."""
        return self.version == "1.1" and "100-continue" in self.tokens(b"expect")

    @property
    def wants_websocket(self) -> bool:
        return "websocket" in self.tokens(b"upgrade")


def end_of_head(data: bytearray, searched: int) -> int:
    """Where the head ends in `data` (behind the empty line), -1 if it does not yet. The first `searched` bytes were
    looked at before. Raises `BadRequest` for lines that end in a bare LF: the end would never come."""
    found = data.find(_END, max(0, searched - len(_END)))
    if found < 0 and _BARE_LINE_FEED.search(data, max(0, searched - 1)):
        raise BadRequest(400, "the lines of a request's head end in CRLF, not in LF")
    return -1 if found < 0 else found + len(_END)


def parse_head(raw: bytes) -> Head:
    """Raises `BadRequest`."""
    line, *lines = raw[: -len(_END)].split(b"\r\n")
    method, target, minor = _parse_request_line(line)
    fields = [_parse_field(line) for line in lines]
    values: defaultdict[bytes, list[bytes]] = defaultdict(list)
    for name, value in fields:
        values[name].append(value)
        if name in _SINGLE and len(values[name]) > 1:
            raise BadRequest(400, f"more than one {name.decode()} field")
    joined = {name: (b"; " if name == b"cookie" else b", ").join(found) for name, found in values.items()}
    if minor == b"1" and b"host" not in joined:
        raise BadRequest(400, "no Host field")
    _check_framing(joined, minor)
    origin_form = _origin_form(method, target, joined.get(b"host", b""))
    return Head(method, origin_form, f"1.{minor.decode()}", tuple(fields), raw, joined)


def _parse_request_line(line: bytes) -> tuple[bytes, bytes, bytes]:
    """Method, target, and minor version."""
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        if _OTHER_VERSION.fullmatch(line):
            raise _other_version()
        raise BadRequest(400, "the request line is malformed")
    if match[1] == b"PRI":  # reserved by RFC 9113 for the preface of HTTP/2
        raise _other_version()
    return match[1], match[2], match[3]


def _other_version() -> BadRequest:
    return BadRequest(505, "this port accepts HTTP/1.0 and HTTP/1.1")


def _parse_field(line: bytes) -> tuple[bytes, bytes]:
    field = _FIELD.fullmatch(line)
    if field is None:
        raise BadRequest(400, "a header field is malformed or not ASCII")
    return field[1].lower(), field[2]


def _check_framing(fields: dict[bytes, bytes], minor: bytes) -> None:
    """One way to say how long a body is, and nothing that two readers may understand differently."""
    length, encoding = fields.get(b"content-length"), fields.get(b"transfer-encoding")
    if length is not None and encoding is not None:
        raise BadRequest(400, "both Content-Length and Transfer-Encoding")
    if length is not None and _LENGTH.fullmatch(length) is None:
        raise BadRequest(400, "Content-Length is not a number of bytes")
    if encoding is not None and minor == b"0":
        raise BadRequest(400, "HTTP/1.0 does not have Transfer-Encoding")
    if encoding is not None and encoding.lower() != b"chunked":
        raise BadRequest(501, "the only Transfer-Encoding accepted is chunked")


def _origin_form(method: bytes, target: bytes, host: bytes) -> bytes:
    """The target without scheme and host: RFC 9112, section 3.2, allows both forms, and `*` for OPTIONS."""
    if target.startswith(b"/"):
        return target
    if target == b"*" and method == b"OPTIONS":
        return target
    try:
        parts = urlsplit(target)
    except ValueError:
        parts = urlsplit(b"")
    if parts.scheme not in (b"http", b"https") or not parts.netloc:
        raise BadRequest(400, "the request target is malformed")
    if host and parts.netloc.lower() != host.lower():
        raise BadRequest(400, "the request target and Host name different hosts")
    return (parts.path or b"/") + (b"?" + parts.query if parts.query else b"")


def refusal_response(status: int, reason: str) -> bytes:
    """A whole response that says no and closes."""
    code = {413: "too_large", 431: "too_large", 500: "internal", 503: "unavailable"}.get(status, "bad_request")
    body = codec.encode({"error": Refusal(code, reason).as_json()})
    return (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode() + body
