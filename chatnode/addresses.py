"""Addresses, networks and origins: the one place that reads them, so that two spellings of one thing compare as equal.

Every reader here raises `ValueError` in words that end a sentence such as "server.origins is 'x'; …".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import unquote

import attrs
import idna

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

CLIENT_BITS = 64
"""Providers give one customer a /64 of IPv6 or more: all its addresses are one client."""
DEFAULT_PORTS = {"http": 80, "https": 443}
_MAPPED = IPv6Network("::ffff:0:0/96")
_URL = re.compile(r"(https?)://(\[[^\[\]/?#@]*\]|[^\[\]/?#@:]*)(?::([0-9]{0,5}))?((?:/[^?#]*)?)", re.IGNORECASE)
_PATH = re.compile(r"(?:/(?:[A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})+)+")
_OWN_PATHS = ("v1", "plugins", "items", "health", "metrics")
"""What paths of the node itself begin with."""
_HOST = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?")
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?")
_BIND = re.compile(r"(?:(\[[^\[\]]*\]|[^\[\]:]*):)?([0-9]{1,5})")
_MAIL_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9-]{1,63}")
_AT_PORT = re.compile(r"(\[[^\[\]]*\]|[^\[\]:]*)(?::([0-9]{1,5}))?")
_PROXY = re.compile(r"(https?://)(?:([^/?#@\s]*)@)?([^/?#@\s]+/?)", re.IGNORECASE)


# ---- addresses


def parse_address(text: str) -> IPAddress | None:
    """The address that a text names, None if it names none.

    An IPv6 address may stand in brackets and have a zone, which is cut off: it names an interface of the machine that
    wrote it. An IPv4 address that was mapped into IPv6 is the IPv4 address.
    """
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
        if ":" not in text:
            return None
    try:
        address = ip_address(text.partition("%")[0] if ":" in text else text)
    except ValueError:
        return None
    return _unmapped(address)


def parse_hop(text: str) -> IPAddress | None:
    """The address in an entry of X-Forwarded-For: as `parse_address`, and a port may stand behind it."""
    text = text.strip().strip('"')
    address = parse_address(text)
    if address is None:
        host, _, port = text.rpartition(":")
        if port.isascii() and port.isdigit():
            address = parse_address(host)
    return address


def _unmapped(address: IPAddress) -> IPAddress:
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


@lru_cache(maxsize=1_024)
def client_key(address: str) -> str:
    """What limits count by: the address, of an IPv6 address its /64. A text that is no address stands for itself."""
    parsed = parse_address(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((int(parsed), CLIENT_BITS), strict=False))
    return str(parsed) if parsed is not None else address


def is_loopback(address: str) -> bool:
    parsed = parse_address(address)
    return parsed is not None and parsed.is_loopback


# ---- networks


def read_network(text: str) -> str:
    """An address or a network (`10.0.0.5`, `10.0.0.0/8`), in its usual spelling."""
    address, slash, bits = text.strip().partition("/")
    parsed = parse_address(address)
    if parsed is not None and not slash:
        return str(parsed)
    try:
        if slash:
            return str(_network(address, bits))
    except ValueError:
        pass
    raise ValueError(
        "expected an address or network, such as 10.0.0.5, 10.0.0.0/8 or 2001:db8::/32, without a name or port"
    )


def _network(address: str, bits: str) -> IPNetwork:
    network = ip_network(f"{address.strip('[]').partition('%')[0]}/{bits}", strict=False)
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        # Addresses lose this form when they are read, and would not be in a network that has kept it.
        return ip_network((int(network.network_address) & 0xFFFF_FFFF, network.prefixlen - 96))
    return network


def is_among(address: str, networks: Iterable[str]) -> bool:
    """Whether an address is one of these, or in one of these networks."""
    found = _networks(tuple(networks))
    if not found:
        return False
    parsed = parse_address(address)
    return parsed is not None and any(parsed in network for network in found)


@lru_cache(maxsize=16)
def _networks(texts: tuple[str, ...]) -> tuple[IPNetwork, ...]:
    return tuple(ip_network(read_network(text)) for text in texts)


# ---- origins and URLs


@attrs.frozen
class Url:
    """The parts of an http or https URL in the spelling that browsers send: `host` in lower case, as ASCII, of IPv6 in
    brackets; `path` without a slash at its end."""

    scheme: str
    host: str
    port: int
    path: str = ""

    @property
    def origin(self) -> str:
        """Scheme, host and port; the port is left out where it is the scheme's own."""
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"

    def __str__(self) -> str:
        return self.origin + self.path


def parse_url(text: str) -> Url:
    """Raises `ValueError` for anything but scheme, host, port and path."""
    match = _URL.fullmatch(text.strip())
    if match is None:
        raise ValueError("expected http:// or https:// and a host, as in https://chat.example.org")
    scheme, host, port, path = match[1].lower(), match[2], match[3], match[4]
    number = int(port) if port else DEFAULT_PORTS[scheme]
    if not 0 < number < 65_536:
        raise ValueError(f"{number} is not a port")
    return Url(scheme, _host(host), number, path.rstrip("/"))


def read_origin(text: str) -> str:
    """An origin as browsers send it: a slash at the end, capitals, the scheme's own port and letters beyond ASCII are
    understood."""
    url = parse_url(text)
    if url.path:
        raise ValueError(f"an origin has no path; use {url.origin}")
    return url.origin


def read_public_url(text: str) -> str:
    """A URL that people can open; empty for none."""
    if not text:
        return ""
    url = parse_url(text)
    address = parse_address(url.host)
    if address is not None and address.is_unspecified:
        raise ValueError("browsers cannot open this address; use the name that users type")
    read_base_path(url.path)
    return str(url)


def read_base_path(text: str) -> str:
    """A path below which the node is served, without a slash at its end; empty for the root."""
    path = text.strip().rstrip("/")
    if not path:
        return ""
    if not _PATH.fullmatch(path) or any(part in (".", "..") for part in path.split("/")):
        raise ValueError("a base path begins with a slash and has letters, digits and . _ ~ - only, as in /chat")
    if (first := path.split("/")[1]) in _OWN_PATHS:
        raise ValueError(f"the node's own paths begin with /{first}; choose another one, such as /chat")
    return path


def is_base_path(text: str) -> bool:
    """Whether `read_base_path` takes it as it is."""
    try:
        return bool(text) and read_base_path(text) == text
    except ValueError:
        return False


def below(path: str, base: str) -> str:
    """A request's path as the node knows it: without `base`, if it is there. Of `base` itself nothing is left."""
    return path[len(base) :] if base and (path == base or path.startswith(f"{base}/")) else path


def parse_host(host: str, scheme: str = "http") -> Url:
    """What a request's Host names, of a page with this scheme. Raises `ValueError`."""
    if "/" in host:
        raise ValueError("a host has no path")
    return parse_url(f"{scheme}://{host}")


def is_same_host(origin: Url, host: str) -> bool:
    """Whether a request's Host names what a page of `origin` was loaded from. The scheme is not compared: behind a
    proxy that speaks TLS the node does not know it."""
    try:
        return parse_host(host, origin.scheme) == origin
    except ValueError:
        return False


def _host(host: str) -> str:
    if host.startswith("["):
        address = _ipv6(host[1:-1])
        if address.scope_id is not None:
            raise ValueError(f"{host} has a zone, which browsers do not accept")
        return f"[{address}]"
    try:
        name = host.lower() if host.isascii() else idna.encode(host, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        name = ""
    # What ends like an IPv4 address is one: browsers write 127.1 and 0x7f000001 as 127.0.0.1.
    if not _HOST.fullmatch(name) or (_NUMBER.fullmatch(name) and parse_address(name) is None):
        raise ValueError(f"{host!r} is not a valid host name" if host else "it has no host")
    return name


def _ipv6(text: str) -> IPv6Address:
    try:
        return IPv6Address(text)
    except ValueError:
        raise ValueError(f"[{text}] is not an IPv6 address") from None


# ---- where to listen


ANY = "*"


@attrs.frozen
class Bind:
    """Where to listen: `host` is a name, an address, or `*` for every address of this machine. Port 0 picks one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def url(self, scheme: str, port: int) -> str:
        """How the node is reached from this machine."""
        host = self.host
        address = parse_address(host)
        if host == ANY:
            host = "localhost"
        elif address is not None and address.is_unspecified:
            host = "[::1]" if isinstance(address, IPv6Address) else "127.0.0.1"
        elif ":" in host:
            host = f"[{host.replace('%', '%25')}]"
        return Url(scheme, host, port).origin


def parse_bind(text: str) -> Bind:
    """`127.0.0.1:8008`, `[::1]:8008`, `name:8008`, `*:8008`; a port alone, also as `:8008`, is this machine's loopback
    address. Raises `ValueError`."""
    match = _BIND.fullmatch(text.strip())
    if match is None or int(match[2]) > 65_535:
        raise ValueError(
            "expected an address and a port, such as 127.0.0.1:8008, [::1]:8008 or *:8008 for every address"
        )
    host, port = match[1] or "localhost", int(match[2])
    if host == ANY:
        return Bind(ANY, port)
    if host.startswith("["):
        return Bind(str(_ipv6(host[1:-1])), port)
    return Bind(_host(host), port)


def read_bind(text: str) -> str:
    """As `parse_bind`, for a setting."""
    parse_bind(text)
    return text.strip()


def read_optional_bind(text: str) -> str:
    """As `read_bind`; empty for none."""
    return read_bind(text) if text.strip() else ""


# ---- certificates


def read_domain(text: str) -> str:
    """A name that a certificate can be for, in lower case and ASCII."""
    name = text.strip()
    if name.startswith("*"):
        raise ValueError("a wildcard needs a change in the DNS, which the node cannot make; list each name")
    try:
        host = _host(name)
    except ValueError:
        raise ValueError("expected a name such as chat.example.org, without https:// and without a port") from None
    if parse_address(host) is not None:
        raise ValueError("certificates for IP addresses are not obtained; use a name")
    return host.rstrip(".")


def read_directory(text: str) -> str:
    """The URL of an ACME directory, as it is written: a slash at its end may matter."""
    url = text.strip()
    if parse_url(url).scheme != "https":
        raise ValueError("expected an https:// URL")
    return url


# ---- mail


def is_mail_address(text: str) -> bool:
    """Whether it can stand in an SMTP envelope as it is: ASCII, without a name, a comment or quotes."""
    return len(text) <= 254 and _MAIL_ADDRESS.fullmatch(text) is not None


def read_mail_address(text: str) -> str:
    """An address that mail can come from; empty for none."""
    if text and not is_mail_address(text.strip()):
        raise ValueError("expected an address such as chat@example.org, without a name")
    return text.strip()


def read_mail_host(text: str) -> str:
    """The name or address of a server; empty for none. An IPv6 address is understood with and without brackets."""
    host = text.strip()
    if not host:
        return ""
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if ":" in bare:
        try:
            return str(_ipv6(bare))
        except ValueError:
            raise ValueError("expected a host name such as mail.example.org; the port is mail.port") from None
    return _host(host)


# ---- where requests may go


@attrs.frozen
class EgressRule:
    """Hosts that requests may, or may not, be sent to: a network or one host name, at one port, or at any (None)."""

    network: IPNetwork | None
    name: str
    port: int | None

    def covers(self, name: str, addresses: Iterable[IPAddress], port: int) -> bool:
        """Whether it is about this port, and about the name or one of the addresses."""
        if self.port not in (None, port):
            return False
        network = self.network
        return name == self.name if network is None else any(address in network for address in addresses)

    def __str__(self) -> str:
        network = self.network
        if network is None:
            host = self.name
        else:
            host = str(network.network_address if network.prefixlen == network.max_prefixlen else network)
        if self.port is None:
            return host
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


def parse_egress_rule(text: str) -> EgressRule:
    """`10.1.0.0/16`, `10.0.0.5`, `10.0.0.5:8080`, `[fd00::5]:8080`, `ntfy.lan` or `ntfy.lan:8080`. Names are exact.
    Raises `ValueError`."""
    text = text.strip()
    try:
        if "%" in text:
            raise ValueError("a zone")
        if "/" in text or (":" in text and parse_address(text) is not None):
            return EgressRule(ip_network(read_network(text)), "", None)
        match = _AT_PORT.fullmatch(text)
        if match is None:
            raise ValueError("neither a host nor a port")
        port = int(match[2]) if match[2] else None
        if port is not None and not 0 < port < 65_536:
            raise ValueError("no such port")
        host = _host(match[1])
    except ValueError:
        raise ValueError(
            "expected a network, an address or the exact name of a host, such as 10.1.0.0/16, 10.0.0.5:8080, "
            "[fd00::5]:8080 or ntfy.lan:8080, without http:// and without *"
        ) from None
    address = parse_address(host)
    if address is not None:
        return EgressRule(ip_network(address), "", port)
    return EgressRule(None, host.rstrip("."), port)


def read_egress_rule(text: str) -> str:
    """As `parse_egress_rule`, for a setting."""
    return str(parse_egress_rule(text))


@attrs.frozen
class EgressProxy:
    """A proxy for requests to other hosts. `credentials` are `user:password`, empty for none."""

    url: Url
    credentials: str = attrs.field(repr=False)


def parse_proxy(text: str) -> EgressProxy:
    """`http://proxy.example.org:3128`, also with `user:password@`. Raises `ValueError`."""
    match = _PROXY.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError("not a URL")
        url = parse_url(match[1] + match[3])
        if url.path:
            raise ValueError("it has a path")
    except ValueError:
        raise ValueError(
            "expected http:// or https://, a host and a port, such as http://proxy.example.org:3128 or "
            "http://user:password@proxy.example.org:3128"
        ) from None
    return EgressProxy(url, unquote(match[2] or ""))


def read_proxy(text: str) -> str:
    """As `parse_proxy`, for a setting; empty for none."""
    if text.strip():
        parse_proxy(text)
    return text.strip()
