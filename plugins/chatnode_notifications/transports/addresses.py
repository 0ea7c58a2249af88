"""Addresses that clients register."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from chatnode.api import Blocked, Context, Purpose, Refusal

_USUAL_PORTS = {"https": 443, "http": 80}
MOST_CHARS = 1_000
"""Of an address. UnifiedPush promises applications no more (its specification, AND_3)."""


def check_url(ctx: Context, purpose: Purpose, text: str) -> SplitResult:
    """The parts of an address that a client registers. What its host resolves to is judged at each request.

    Raises `Refusal`, also for an address that every request would refuse.
    """
    if not text:
        raise Refusal("invalid", "this transport needs an address", path="address")
    if len(text) > MOST_CHARS:
        raise Refusal("invalid", f"the address has {len(text)} characters; the maximum is {MOST_CHARS}", path="address")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise Refusal("invalid", "the address has characters that must be percent-encoded", path="address")
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise Refusal("invalid", "expected an address such as https://push.example.org/…", path="address") from None
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise Refusal("invalid", "expected an address such as https://push.example.org/…", path="address")
    if parts.username is not None or parts.password is not None:
        raise Refusal("invalid", "the address may not have a user name or password", path="address")
    try:
        ctx.outbound.check(purpose, text)
    except Blocked as error:
        raise Refusal("invalid", error.why, path="address") from None
    return parts


def origin_of(address: str) -> str:
    """Scheme, host and port of a registered address, which is no secret; empty for what has none."""
    parts = urlsplit(address)
    if not parts.hostname:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = "" if parts.port in (None, _USUAL_PORTS.get(parts.scheme)) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"
