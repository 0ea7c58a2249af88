"""Idle sessions over TLS. The generator speaks plain WebSocket only, and holding sockets open needs no C."""

import json
import socket
import ssl
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import trustme

from benchmarks.errors import require

UPGRADE = (
    "GET /v1/socket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: bG9hZCBnZW5lcmF0b3IhIQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
PATIENCE = 30.0


def settings_with_certificate(folder: Path) -> Mapping[str, str]:
    """The settings of a server that accepts TLS, with a new certificate in `folder`."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    issued = trustme.CA().issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(str(certificate))
    issued.private_key_pem.write_to_path(str(key))
    return {"CHATNODE_SERVER__TLS_CERTIFICATE": str(certificate), "CHATNODE_SERVER__TLS_KEY": str(key)}


@contextmanager
def tls_sessions(port: int, tokens: Iterable[str]) -> Iterator[None]:
    """A session for each token, opened one after the other, open while the block runs.

    They answer no pings: if the block takes minutes, the server closes them, and it ends with an error.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the server is measured, not its certificate
    with ExitStack() as closing:
        connections: list[ssl.SSLSocket] = []
        for token in tokens:
            connections.append(closing.enter_context(_connected(context, port)))
            _greet(connections[-1], token)
        yield
        require(all(map(_is_open, connections)), "every session is open to the end")


def _connected(context: ssl.SSLContext, port: int) -> ssl.SSLSocket:
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE))


def _greet(connection: ssl.SSLSocket, token: str) -> None:
    connection.sendall(UPGRADE.encode())
    answer = _received(connection, b"\r\n\r\n")
    require(answer.startswith(b"HTTP/1.1 101"), f"the upgrade is accepted: {answer[:100]!r}")
    connection.sendall(_text_frame(json.dumps({"id": 1, "op": "hello", "token": token}).encode()))
    _received(connection, b'"welcome"')


def _received(connection: ssl.SSLSocket, expected: bytes) -> bytes:
    received = b""
    while expected not in received:
        some = connection.recv(65536)
        require(bool(some), f"the server sends {expected!r} before it hangs up: {received[-200:]!r}")
        received += some
    return received


def _is_open(connection: ssl.SSLSocket) -> bool:
    connection.settimeout(0)
    try:
        while connection.recv(65536):
            pass
    except ssl.SSLWantReadError:
        return True
    return False


def _text_frame(text: bytes) -> bytes:
    """A frame as a client sends it; a mask of zeros leaves the text as it is."""
    size = bytes([0x80 | len(text)]) if len(text) < 126 else bytes([0x80 | 126]) + struct.pack(">H", len(text))
    return b"\x81" + size + bytes(4) + text
