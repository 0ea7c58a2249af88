"""Who a request comes from: address, token, and whether a browser's page may use the cookie."""

from __future__ import annotations

from urllib.parse import urlsplit

import attrs
from werkzeug.http import parse_cookie

from chatnode.dispatch.core import Core
from chatnode.transport.head import Head
from chatnode.transport.listener import Connection

COOKIE = "chatnode_session"


@attrs.frozen
class Credentials:
    """What a request brought along. `token` is a bearer token, or a cookie whose page may use it."""

    address: str
    token: str | None
    by_cookie: bool = False

    @classmethod
    def of_upgrade(cls, head: Head, connection: Connection, core: Core) -> Credentials:
        """The credentials of a client socket's upgrade."""
        return cls.of_fields(
            connection.address, head.field(b"authorization"), head.field(b"cookie"), head.field(b"origin"),
            head.field(b"host"), head.field(b"x-forwarded-for"), core,
        )  # fmt: skip

    @classmethod
    def of_fields(
        cls, peer: str, authorization: str, cookie: str, origin: str, host: str, forwarded: str, core: Core
    ) -> Credentials:
        address = client_address(peer, forwarded, core.config.server.trusted_proxies)
        token = bearer(authorization)
        if token is not None or not may_use_cookie(origin, host, core):
            return cls(address, token)
        token = _cookie_token(cookie)
        return cls(address, token, by_cookie=token is not None)


def bearer(authorization: str) -> str | None:
    scheme, _, token = authorization.partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def client_address(peer: str, forwarded: str, trusted_proxies: tuple[str, ...]) -> str:
    """The nearest address that is not one of our proxies, going back along X-Forwarded-For."""
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    address = peer
    while address in trusted_proxies and hops:
        address = hops.pop()
    return address


def may_use_cookie(origin: str, host: str, core: Core) -> bool:
    """Whether a page of `origin` may act with the cookie: the node's own, or one that the settings name.

    A request without Origin is not from another site's script, but may be from its link or form: those are
    reads, and the cookie's SameSite holds it back from the rest.
    """
    if not origin:
        return True
    if origin in core.config.server.origins:
        return True
    try:
        return urlsplit(origin).netloc.lower() == host.lower() != ""
    except ValueError:
        return False


def _cookie_token(header: str) -> str | None:
    return parse_cookie(header).get(COOKIE) or None
