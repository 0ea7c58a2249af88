"""The response to a request, without input and output: an ASGI application's messages in, HTTP/1.1's bytes out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

from chatnode.transport.head import Head

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(rb"[\x20-\x7e\x80-\xff\t]*")
_OURS = frozenset((b"connection", b"transfer-encoding", b"keep-alive"))
"""Fields of the connection and not of the application."""


class ResponseWriter:
    """Writes one response. A message that does not belong is a `ValueError`, and the response is left as it was."""

    def __init__(self, head: Head) -> None:
        self._method = head.method
        self._version = head.version
        self.keep_alive = head.keep_alive
        """Whether a further request may follow. Told to the client with the first bytes; settled from then on."""
        self.begun = False
        """Whether bytes were given out."""
        self.complete = False
        self._status = 0
        self._fields: list[tuple[bytes, bytes]] = []
        self._left: int | None = None
        """Bytes that are missing from the Content-Length."""
        self._chunked = False

    def write(self, message: Mapping[str, Any]) -> bytes:
        """The bytes for a message of ASGI. A head that tells the body's length goes out with the body, in one packet;
        that of a stream at once."""
        if message["type"] == "http.response.start" and not self._status:
            self._start(int(message["status"]), message.get("headers", ()))
            return self._head() if self._left is None else b""
        if message["type"] == "http.response.body" and self._status and not self.complete:
            return self._write_body(bytes(message.get("body", b"")), more=bool(message.get("more_body", False)))
        raise ValueError(f"{message['type']} is out of order in a response")

    def _start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        if not 200 <= status <= 599:
            raise ValueError(f"{status} is not the status of a response")
        fields: list[tuple[bytes, bytes]] = []
        length: int | None = None
        for name, value in headers:
            name, value = bytes(name).lower(), bytes(value).strip()
            if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
                raise ValueError("a header field of the response is malformed")
            if name == b"connection" and value.lower() == b"close":
                self.keep_alive = False
            if name == b"content-length":
                if length is not None or not value.isdigit():
                    raise ValueError("the Content-Length of the response is malformed")
                length = int(value)
            elif name not in _OURS:
                fields.append((name, value))
        self._status, self._fields, self._left = status, fields, length

    @property
    def _bodiless(self) -> bool:
        return self._method == b"HEAD" or self._status in (204, 304)

    def _write_body(self, data: bytes, *, more: bool) -> bytes:
        if self._bodiless:
            data = b""
        elif self._left is not None and len(data) > self._left:
            raise ValueError("the response is longer than its Content-Length")
        elif self._left is not None and not more and len(data) < self._left:
            raise ValueError("the response is shorter than its Content-Length")
        out: list[bytes] = []
        if not self.begun:
            out.append(self._head())
        if self._left is not None and not self._bodiless:
            self._left -= len(data)
        self.complete = not more
        if not self._chunked:
            out.append(data)
        else:
            out += [b"%x\r\n" % len(data), data, b"\r\n"] if data else []
            out += [b"0\r\n\r\n"] if self.complete else []
        return b"".join(out)

    def _head(self) -> bytes:
        """Status line and fields; settles how the body's end is told."""
        self.begun = True
        lines = [b"HTTP/1.1 %d %b" % (self._status, _phrase(self._status))]
        lines += [b"%b: %b" % field for field in self._fields]
        if not any(name == b"date" for name, _ in self._fields):
            lines.append(b"date: " + formatdate(usegmt=True).encode())
        if self._left is not None and self._status != 204:
            lines.append(b"content-length: %d" % self._left)
        elif not self._bodiless and self._version == "1.1":
            self._chunked = True
            lines.append(b"transfer-encoding: chunked")
        elif not self._bodiless:
            self.keep_alive = False  # the end of the connection is the end of the body
        if not self.keep_alive:
            lines.append(b"connection: close")
        return b"\r\n".join(lines) + b"\r\n\r\n"


def _phrase(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""
