"""Header fields of a file's response. Whatever a file holds, a browser that gets these runs nothing of it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping

SAFETY: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
"""In every response that has a file or a part of one."""
REVALIDATED = "private, no-cache"
"""The copy that a browser keeps is used after the node was asked whether its user may still see the file."""
KEPT_FOR_A_DAY = "private, max-age=86400"


def repr_digest(sha256: bytes) -> str:
    """The hash of the whole file, also when only a part is sent (RFC 9530)."""
    return f"sha-256=:{b64encode(sha256).decode()}:"
