"""The first message of a client that speaks TLS (RFC 8446, section 4.1.2), as far as a challenge needs it."""

from __future__ import annotations

from collections.abc import Iterator

from chatnode.certificates.contexts import ACME_PROTOCOL

_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SERVER_NAME, _ALPN, _HOST_NAME = 0, 16, 0
_RECORD_HEAD, _MESSAGE_HEAD = 5, 4
_VERSION_AND_RANDOM = 2 + 32
_MOST_RECORD = 1 << 14
MOST_BYTES = _RECORD_HEAD + _MOST_RECORD


def bytes_needed(data: bytes) -> int:
    """How many bytes the first record has, as far as its beginning tells; what is no handshake needs no more."""
    if len(data) < _RECORD_HEAD:
        return _RECORD_HEAD if not data or data[0] == _HANDSHAKE else 0
    length = int.from_bytes(data[3:5])
    return _RECORD_HEAD + length if data[0] == _HANDSHAKE and length <= _MOST_RECORD else 0


def acme_name(data: bytes) -> str | None:
    """The server name that a client asks for which offers `acme-tls/1` and nothing else; None for every other client,
    and for bytes that are no whole message."""
    try:
        extensions = dict(_extensions(data))
        (protocol,) = _vectors(_sized(extensions[_ALPN], 2), 1)
        if protocol != ACME_PROTOCOL.encode():
            return None
        names = _sized(extensions[_SERVER_NAME], 2)
        return _sized(names[1:], 2).decode("ascii") if names[0] == _HOST_NAME else None
    except (ValueError, KeyError, IndexError):
        return None


def _extensions(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Raises `ValueError`."""
    if bytes_needed(data) != len(data[: bytes_needed(data)]) or len(data) <= _RECORD_HEAD:
        raise ValueError("not a whole record")
    message = data[_RECORD_HEAD : bytes_needed(data)]
    if message[0] != _CLIENT_HELLO:
        raise ValueError("not a ClientHello")
    rest = _sized(message[1:], 3)[_VERSION_AND_RANDOM:]
    for size in (1, 2, 1):  # session, cipher suites, compression methods
        rest = rest[size + len(_sized(rest, size)) :]
    rest = _sized(rest, 2)
    while rest:
        content = _sized(rest[2:], 2)
        yield int.from_bytes(rest[:2]), content
        rest = rest[4 + len(content) :]


def _vectors(data: bytes, size: int) -> Iterator[bytes]:
    while data:
        item = _sized(data, size)
        yield item
        data = data[size + len(item) :]


def _sized(data: bytes, size: int) -> bytes:
    """What stands behind its own length, which takes `size` bytes. Raises `ValueError`."""
    length = int.from_bytes(data[:size])
    if len(data) < size + length:
        raise ValueError("shorter than it says")
    return data[size : size + length]
