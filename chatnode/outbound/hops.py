"""What is sent to one host, and where a redirect leads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urljoin

import attrs

from chatnode.model.records import record
from chatnode.outbound.addresses import Target, parse_target
from chatnode.outbound.errors import Blocked

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
OURS = frozenset(
    {
        "host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "expect", "keep-alive",
        "accept-encoding", "proxy-authorization", "proxy-connection",
    }
)  # fmt: skip
"""Headers that decide how messages are framed or decoded; they are set here and nowhere else."""
FOR_ANYONE = frozenset({"accept", "accept-language", "user-agent"})
"""Headers that are also sent to another origin than the one that they were meant for."""


@record(frozen=True)
class Hop:
    """A request to one host."""

    method: str
    target: Target
    headers: tuple[tuple[str, str], ...]
    body: bytes = attrs.field(repr=False)


def first_hop(method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> Hop:
    """Raises `Blocked`, and `ValueError` for a method that requests do not have here."""
    if method not in METHODS:
        raise ValueError(f"{method!r} is not one of {', '.join(sorted(METHODS))}")
    target = parse_target(url)
    for name, _ in headers:
        if name.lower() in OURS:
            raise Blocked(f"the header {name} of requests to {target.origin} cannot be set")
    return Hop(method, target, tuple(headers), body)


def encoded_headers(hop: Hop) -> list[tuple[bytes, bytes]]:
    """The headers as they are sent. Raises `Blocked` for characters that HTTP cannot carry."""
    given = {name.lower() for name, _ in hop.headers}
    headers = [("Host", hop.target.authority), ("Accept-Encoding", "identity")]
    headers += [(name, value) for name, value in _DEFAULTS if name.lower() not in given]
    headers += hop.headers
    if hop.body or hop.method in WITH_BODY:
        headers.append(("Content-Length", str(len(hop.body))))
    try:
        return [(name.encode("ascii"), value.encode("ascii")) for name, value in headers]
    except UnicodeEncodeError:
        raise Blocked(f"a header of requests to {hop.target.origin} has a character beyond ASCII") from None


_DEFAULTS = (("User-Agent", "chatnode"), ("Accept", "*/*"))


def redirected(hop: Hop, status: int, headers: Mapping[str, str]) -> Hop | None:
    """The next request, if the answer is a redirect that can be followed; it must be judged like the first.

    Another origin gets neither credentials nor a body: a redirect that would send it the body is not followed. Raises
    `Blocked` for a URL that is refused, and for one that gives TLS up.
    """
    location = headers.get("location", "")
    if status not in REDIRECTS or not location:
        return None
    origin = hop.target.origin
    try:
        # Headers are read as Latin-1; servers that send more than ASCII send UTF-8.
        url = urljoin(hop.target.url, location.encode("latin-1").decode("utf-8", "replace"))
        target = parse_target(url)
    except ValueError:
        raise Blocked(f"{origin} redirects to a URL that is not valid") from None
    except Blocked as error:
        raise Blocked(f"{origin} redirects: {error.why}") from None
    if hop.target.scheme == "https" and target.scheme == "http":
        raise Blocked(f"{origin} redirects from https to http")
    method, body, sent = hop.method, hop.body, hop.headers
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, body = "GET", b""
        sent = tuple((name, value) for name, value in sent if not name.lower().startswith("content-"))
    if target.origin != origin:
        if body:
            return None
        sent = tuple((name, value) for name, value in sent if name.lower() in FOR_ANYONE)
    return Hop(method, target, sent, body)
