"""Header fields of a file's response. Whatever a file holds, a browser that gets these runs nothing of it."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import quote

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

_NOT_PLAIN = re.compile(r'[^ -~]|["\\/;%]')
_ATTRIBUTE_CHARACTERS = "!#$&+-.^_`|~"  # besides letters and digits (RFC 8187)


def content_disposition(name: str, *, inline: bool) -> str:
    """`name` twice: in ASCII for old programs, which may read `%41` as `A`, and in full (RFC 6266)."""
    plain = _NOT_PLAIN.sub("_", name)
    encoded = quote(name, safe=_ATTRIBUTE_CHARACTERS, errors="replace")
    return f"{'inline' if inline else 'attachment'}; filename=\"{plain}\"; filename*=UTF-8''{encoded}"


def repr_digest(sha256: bytes) -> str:
    """The hash of the whole file, also when only a part is sent (RFC 9530)."""
    return f"sha-256=:{b64encode(sha256).decode()}:"


def content_range(start: int, stop: int, size: int) -> str:
    return f"bytes {start}-{stop - 1}/{size}"
