"""URLs that requests may be sent to, and the table of addresses on the public internet. Nothing is looked up here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import quote

import attrs
import idna

from chatnode.addresses import DEFAULT_PORTS, IPAddress
from chatnode.model.records import record
from chatnode.outbound.errors import Blocked

MOST_URL_CHARS = 2_048
MOST_HOST_CHARS = 253
"""RFC 1035, section 2.3.4, as text without the dot of the root."""

_URL = re.compile(r"([a-z][a-z0-9+.-]*):(?://([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#.*)?)?", re.IGNORECASE | re.DOTALL)
_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^\[\]:]*)(?::([0-9]{0,5}))?")
_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
_KEPT = "/%:@!$&'()*+,;=~"
"""Of a path, beside letters, digits and -._ (RFC 3986)."""
_PRINTED = re.compile(r"[^\x00-\x20\x7f]*")


# ---- URLs


@record(frozen=True)
class Target:
    """Where one request goes. `host` is in lower case and ASCII, an IPv6 address without brackets; `path` begins with a
    slash and includes the query, both percent-encoded."""

    scheme: str
    host: str
    port: int
    path: str = attrs.field(repr=False)

    @property
    def address(self) -> IPAddress | None:
        """The address, if the URL has one instead of a name."""
        return _literal(self.host)

    @property
    def authority(self) -> str:
        """Host and port as in the header Host; without the scheme's own port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """What errors and logs show of it."""
        return f"{self.scheme}://{self.authority}"

    @property
    def url(self) -> str:
        """All of it."""
        return self.origin + self.path


def parse_target(url: str) -> Target:
    """Read a URL strictly: what browsers and servers could understand differently is refused. Raises `Blocked`."""
    if len(url) > MOST_URL_CHARS:
        raise Blocked(f"the URL is longer than {MOST_URL_CHARS} characters")
    if not _PRINTED.fullmatch(url):
        raise Blocked("the URL has a space or a control character")
    match = _URL.fullmatch(url)
    if match is None or match[1].lower() not in DEFAULT_PORTS or match[2] is None:
        raise Blocked("the URL does not begin with http:// or https:// and a host")
    scheme, authority, path, query = match[1].lower(), match[2], match[3], match[4]
    if "@" in authority:
        raise Blocked("the URL has a user name or a password")
    if "\\" in authority or "%" in authority:
        raise Blocked("the URL's host has a backslash or a percent sign")
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None:
        raise Blocked("the URL's host or port is not valid")
    port = int(parts[2]) if parts[2] else DEFAULT_PORTS[scheme]
    if not 0 < port < 65_536:
        raise Blocked("the URL's port is not valid")
    target = Target(scheme, _host(parts[1]), port, _path(path or "/", query))
    if len(target.url) > MOST_URL_CHARS:
        raise Blocked(f"the URL is longer than {MOST_URL_CHARS} characters")
    return target


def _path(path: str, query: str | None) -> str:
    """What is in the URL already stays as it is; other characters are encoded as browsers do."""
    try:
        encoded = quote(path, safe=_KEPT)
        return encoded if query is None else encoded + "?" + quote(query, safe=_KEPT + "?")
    except UnicodeEncodeError:
        raise Blocked("the URL has a character that does not exist") from None


def _host(host: str) -> str:
    if host.startswith("["):
        address = _literal(host[1:-1])
        if address is None or ":" not in host:
            raise Blocked("the URL's host is not an IPv6 address")
        return str(address)
    if len(host) > MOST_HOST_CHARS + 1:
        raise Blocked("the URL's host is too long")
    try:
        name = (host.lower() if host.isascii() else idna.encode(host, uts46=True).decode()).rstrip(".")
    except (idna.IDNAError, UnicodeError):
        name = ""
    if not _NAME.fullmatch(name) or len(name) > MOST_HOST_CHARS:
        raise Blocked("the URL's host is not a valid name")
    # Resolvers and browsers read 127.1, 0x7f.1 and 2130706433 as 127.0.0.1; nobody needs such spellings.
    if _NUMBER.fullmatch(name) and _literal(name) is None:
        raise Blocked("the URL's host is a number, and not an address in its usual spelling")
    return name


def _literal(host: str) -> IPAddress | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


SPECIAL_NAMES = ("localhost", "local", "internal", "arpa", "localdomain")
"""The last labels of names that are not public (RFC 6761, RFC 6762, and ICANN's .internal)."""


def is_public_name(name: str) -> bool:
    """Whether a host's name may be one of the public DNS; true of addresses."""
    if _literal(name) is not None:
        return True
    labels = name.split(".")
    return len(labels) > 1 and labels[-1] not in SPECIAL_NAMES


# ---- addresses

METADATA = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254", "fd00:ec2::254",  # AWS, and by the first Azure, Google, Oracle, DigitalOcean, OpenStack
        "169.254.170.2", "169.254.170.23", "fd00:ec2::23",  # AWS: credentials of containers
        "fd20:ce::254",  # Google
        "168.63.129.16",  # Azure: public by its number, but each machine's own host answers
        "100.100.100.200",  # Alibaba
        "192.0.0.192",  # Oracle Cloud Classic
    )
)  # fmt: skip
"""Services that give a machine in a cloud its secrets."""

CLOSED_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/3",
    )
)  # fmt: skip
"""What is not public of IPv4: IANA's special-purpose registry (RFC 6890), multicast, and what is reserved."""

GLOBAL_UNICAST = IPv6Network("2000::/3")
"""The only part of IPv6 from which addresses are assigned (RFC 4291), so mapped and compatible addresses, NAT64, unique
local, link-local, site-local and multicast ones are not public."""
CLOSED_V6 = tuple(IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
"""Of those, protocol assignments with Teredo, documentation, and 6to4."""

NAT64 = IPv6Network("64:ff9b::/96")
"""RFC 6052."""
LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
"""RFC 8215."""


def public(address: IPAddress, *, nat64: bool = False) -> bool:
    """Whether an address is on the public internet. With `nat64`, one in 64:ff9b::/96 is if the IPv4 address in it is.

    `ipaddress.is_global` is no substitute: Python 3.11 says that 64:ff9b::7f00:1, 2002:7f00:1::, ::127.0.0.1, fec0::1
    and 224.0.0.1 are global.
    """
    if isinstance(address, IPv4Address):
        return not any(address in network for network in CLOSED_V4)
    if address.scope_id is not None:
        return False
    if nat64 and address in NAT64:
        return public(_last_32(address))
    return address in GLOBAL_UNICAST and not any(address in network for network in CLOSED_V6)


def with_embedded(address: IPAddress) -> Iterator[IPAddress]:
    """The address, and the IPv4 addresses that a packet to it may reach by a translation or a tunnel."""
    yield address
    if isinstance(address, IPv4Address):
        return
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    high = int(address) >> 32
    if (
        high in (0, 0xFFFF, 0xFFFF_0000) or address in NAT64 or address in LOCAL_NAT64
    ):  # compatible, mapped, SIIT (RFC 2765)
        yield _last_32(address)


def _last_32(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFF_FFFF)
