"""Who a request comes from: address, token, whether a browser's page may use the cookie, and the cookie itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from chatnode.addresses import (
    DEFAULT_PORTS,
    is_among,
    is_base_path,
    is_same_host,
    parse_address,
    parse_hop,
    parse_host,
    parse_url,
)
from chatnode.dispatch.core import Core
from chatnode.model.records import record
from chatnode.transport.connection import Connection
from chatnode.transport.head import Head

COOKIE = "chatnode_session"


@record(frozen=True)
class Credentials:
    """What a request brought along. `token` is a bearer token, or a cookie whose page may use it."""

    address: str
    token: str | None
    own_page: bool
    """Whether a page of ours may have sent it: an answer may sign the browser in."""
    secure: bool
    """Whether the browser speaks TLS, as far as is known: with the node, or with a proxy before it."""
    cookie_name: str
    """The name that a cookie for this browser has."""
    prefix: str = ""
    """The path below which the browser sees the node."""
    cookie: str | None = None
    """The name of the cookie that the token came in."""
    vouched: bool = False
    """The token is of a user whom the program vouches for that the node is mounted in. Nobody else knows it."""

    @property
    def by_cookie(self) -> bool:
        return self.cookie is not None

    @property
    def by_browser(self) -> bool:
        """Whether a page of another site may have made the browser send it."""
        return self.by_cookie or self.vouched

    @classmethod
    def of_upgrade(cls, head: Head, connection: Connection, core: Core) -> Credentials:
        """The credentials of a client socket's upgrade."""
        return cls._of_fields(connection.address, lambda name: head.field(name.encode()), core)

    @classmethod
    def of_scope(cls, scope: Mapping[str, Any], core: Core) -> Credentials:
        """The credentials of an ASGI request."""
        client, fields = scope["client"], fields_of(scope)
        mounted: Mount | None = scope["state"].get("mount")
        return cls._of_fields(client[0] if client else "", lambda name: fields.get(name, ""), core, mounted)

    @classmethod
    def _of_fields(cls, peer: str, field: Callable[[str], str], core: Core, mount: Mount | None = None) -> Credentials:
        """`field` gives the value of a header field by its name in lower case, empty for none; values of several fields
        with a comma between them."""
        trusted = core.config.server.trusted_proxies
        address = client_address(peer, field("x-forwarded-for"), trusted)
        secure = core.base_url.startswith("https:") or core.config.speaks_tls
        prefix = core.base_path
        if is_among(peer, trusted):
            secure |= nearest(field("x-forwarded-proto")).lower() == "https"
            ingress = field("x-ingress-path").rstrip("/")
            prefix = ingress if is_base_path(ingress) else prefix
        if mount is not None:
            secure, prefix = secure or mount.secure, mount.prefix
        own_page = may_use_cookie(field("origin"), field("host"), core)
        name = cookie_name(field("host"))
        made = partial(cls, address, own_page=own_page, secure=secure, cookie_name=name, prefix=prefix)
        token, cookie = bearer(field("authorization")), None
        if token is None and mount is not None and mount.token is not None and own_page:
            return made(mount.token, vouched=True)
        if token is None and own_page:
            token, cookie = _of_cookies(field("cookie"), name)
        return made(token, cookie=cookie)


@record(frozen=True)
class Mount:
    """What is known of a request to a program that the node is mounted in: the path of the mount, whether the browser
    speaks TLS, and the token of the user whom the program vouches for, if it does."""

    prefix: str
    secure: bool
    token: str | None = None


def fields_of(scope: Mapping[str, Any]) -> dict[str, str]:
    """The header fields of an ASGI request by name; values of several with a comma between them, of cookies with a
    semicolon."""
    values: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in scope["headers"]:
        values[name.decode("latin-1")].append(value.decode("latin-1"))
    return {name: ("; " if name == "cookie" else ", ").join(found) for name, found in values.items()}


def bearer(authorization: str) -> str | None:
    scheme, _, token = authorization.partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def client_address(peer: str, forwarded: str, trusted_proxies: tuple[str, ...]) -> str:
    """The nearest address that is not one of our proxies, going back along X-Forwarded-For.

    An entry that is no address, such as `unknown`, ends the way: its proxy counts as the client.
    """
    address = str(parse_address(peer) or peer)
    hops = [hop for hop in forwarded.split(",") if hop.strip()]
    while hops and is_among(address, trusted_proxies):
        hop = parse_hop(hops.pop())
        if hop is None:
            break
        address = str(hop)
    return address


def nearest(values: str) -> str:
    """Of values that proxies have put one behind the other, that of the proxy next to us."""
    return values.rpartition(",")[2].strip()


def may_use_cookie(origin: str, host: str, core: Core) -> bool:
    """Whether a page of `origin` may act with the cookie: the node's own, or one that the settings name.

    A request without Origin is not from another site's script, but may be from its link or form: those are
    reads, and the cookie's SameSite holds it back from the rest.
    """
    if not origin:
        return True
    try:
        url = parse_url(origin)
    except ValueError:
        return False
    if url.path:
        return False
    return url.origin in core.own_origins or is_same_host(url, host)


def cookie_name(host: str) -> str:
    """The cookie's name where Host names a port: browsers keep one set of cookies for all ports of a host, and two
    nodes would sign people out of each other."""
    try:
        port = parse_host(host).port
    except ValueError:
        return COOKIE
    return COOKIE if port in DEFAULT_PORTS.values() else f"{COOKIE}_{port}"


def set_cookie(core: Core, credentials: Credentials, token: str) -> str:
    """The field that gives the browser the token, where no script can read it, for as long as the session lives
    without being used."""
    seconds = core.config.accounts.session_days * 86_400
    return _cookie(credentials.cookie_name, token, seconds, credentials)


def clear_cookie(credentials: Credentials) -> str:
    """The field that takes the cookie away that the request was sent with."""
    return _cookie(credentials.cookie or credentials.cookie_name, "", 0, credentials)


def _cookie(name: str, value: str, seconds: int, credentials: Credentials) -> str:
    secure = "; Secure" if credentials.secure else ""
    path = credentials.prefix or "/"
    return f"{name}={value}; Max-Age={seconds}; Path={path}; HttpOnly; SameSite=Lax{secure}"


def _of_cookies(header: str, name: str) -> tuple[str | None, str | None]:
    """The token, and the name of the cookie it is in; one without a port is taken too, for those who had it before."""
    cookies: dict[str, str] = {}
    for pair in header.split(";"):
        key, _, value = pair.partition("=")
        cookies.setdefault(key.strip(), value.strip())  # of two with one name, the first has the longer path
    for each in (name, COOKIE):
        if token := cookies.get(each):
            return token, each
    return None, None
