"""One command of a user over HTTP: it imports a quarter of what a client does that stays connected."""

from __future__ import annotations

import http.client
import json
import socket
from contextlib import closing
from typing import Any, cast
from urllib.parse import quote, urlsplit

from chatnode.control_socket import refusal_of
from chatnode.errors import ConnectionLost

OPEN_SECONDS = 20.0
"""How long each step of connecting may take; the answer may take longer."""
ALIVE_SECONDS = 30
"""After this time without a byte the system asks whether the other end is there, and ends the connection if not."""
JSON = "application/json"


class NotSent(Exception):
    """The node did not get the command, and has not run it: the client library can try, or say what is wrong."""


def call(url: str, token: str, command: str, fields: dict[str, Any]) -> Any:
    """The result as plain values. Raises `Refusal`, `NotSent`, or `ConnectionLost` when the outcome is unknown."""
    try:
        connection = _send(url, token, command, fields)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise NotSent from error
    with closing(connection):
        try:
            response = connection.getresponse()
            status, body = response.status, response.read()
        except (OSError, http.client.HTTPException):
            raise ConnectionLost("the connection ended before the reply came") from None
    try:
        reply: Any = json.loads(body)
        return _result(status, reply)
    except (ValueError, KeyError, TypeError):
        if 300 <= status < 500:  # of something before the node, which did not pass the command on
            raise NotSent from None
        raise ConnectionLost(f"{url} answered with status {status}; this is not a chatnode node") from None


def _send(url: str, token: str, command: str, fields: dict[str, Any]) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=OPEN_SECONDS)
    path = f"{parts.path.rstrip('/')}/v1/{quote(command, safe='')}"
    headers = {"Authorization": b"Bearer " + token.encode("ascii"), "Content-Type": JSON, "Connection": "close"}
    try:
        connection.connect()
        _wait_while_alive(connection.sock)
        connection.request("POST", path, json.dumps(fields, ensure_ascii=False).encode(), headers)
    except BaseException:
        connection.close()
        raise
    return connection


def _wait_while_alive(connection: socket.socket) -> None:
    connection.settimeout(None)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):  # elsewhere the system's own times hold
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, ALIVE_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)


def _result(status: int, reply: Any) -> Any:
    """Raises `Refusal`; and `ValueError`, `KeyError` or `TypeError` for what no node answers."""
    if status == http.client.OK and isinstance(reply, dict):
        return cast("dict[str, Any]", reply)
    raise refusal_of(reply["error"])
