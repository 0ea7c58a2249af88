"""The second port, without TLS: it answers HTTP-01 challenges, and redirects everything else to the first."""

from __future__ import annotations

from http import HTTPStatus

from chatnode.addresses import DEFAULT_PORTS, Url, parse_host, parse_url
from chatnode.certificates.challenges import Challenges
from chatnode.config import Config
from chatnode.transport.connection import Connection
from chatnode.transport.head import Head

_CHALLENGE = b"/.well-known/acme-challenge/"


class PlainPort:
    """Answers one request for each connection. `port` is where the node listens with TLS."""

    def __init__(self, config: Config, challenges: Challenges, port: int) -> None:
        public = config.server.public_url
        self._public = parse_url(public) if public else None
        self._challenges = challenges
        self._port = port

    async def serve(self, connection: Connection, head: Head) -> bool:
        """A `Handler` of the listener."""
        if head.path.startswith(_CHALLENGE):
            await connection.send_all(self._answer(head))
        else:
            await connection.send_all(self._redirect(head))
        return False

    def _answer(self, head: Head) -> bytes:
        token = head.path.removeprefix(_CHALLENGE).decode("ascii")
        found = self._challenges.authorization(token)
        if found is None:
            return _response(404, body=b"no such challenge\n")
        return _response(200, {"Content-Type": "application/octet-stream"}, found.encode())

    def _redirect(self, head: Head) -> bytes:
        """308 keeps the method and is for what has a body; 301 is what every client knows."""
        where = self._target(head.field(b"host"))
        if where is None:
            return _response(400, body=b"no host to redirect to\n")
        status = 301 if head.method in (b"GET", b"HEAD") else 308
        target = head.target.decode("ascii")
        return _response(status, {"Location": where + (target if target.startswith("/") else "/")})

    def _target(self, host: str) -> str | None:
        """The origin to go to: that of the public URL, else the host that was asked for."""
        if self._public is not None:
            return self._public.origin
        try:
            name = parse_host(host).host
        except ValueError:
            return None
        return Url("https", name, self._port or DEFAULT_PORTS["https"]).origin


def _response(status: int, fields: dict[str, str] | None = None, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    all_fields = {**(fields or {}), "Content-Length": str(len(body)), "Connection": "close"}
    lines += [f"{name}: {value}" for name, value in all_fields.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
