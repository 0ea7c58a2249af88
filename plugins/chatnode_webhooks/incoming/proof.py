"""Whether a post was signed with a webhook's secret: as Standard Webhooks 1.0 has it, or as GitHub does."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping

from chatnode.api import webhook_headers

MOST_SECONDS_OFF = 300
"""How far the time in a signature may be from the node's, either way."""
_GITHUB = "x-hub-signature-256"


def is_signed(secrets: Iterable[str], headers: Mapping[str, str], body: bytes, now: int) -> bool:
    """Whether one of the secrets signed the body; `now` is in milliseconds. Takes the same time wherever a signature
    differs."""
    return any(_is_standard(secret, headers, body, now) or _is_github(secret, headers, body) for secret in secrets)


def _is_standard(secret: str, headers: Mapping[str, str], body: bytes, now: int) -> bool:
    id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not id or not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        return False
    if abs(int(stamp) - now / 1000) > MOST_SECONDS_OFF:
        return False
    try:
        _, _, (_, wanted) = webhook_headers([secret], id, int(stamp), body)
    except ValueError:  # an id that makes the signed text ambiguous
        return False
    return any(_equal(each, wanted) for each in headers.get("webhook-signature", "").split())


def _is_github(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    wanted = "sha256=" + hmac.digest(secret.encode(), body, hashlib.sha256).hex()
    return _equal(headers.get(_GITHUB, ""), wanted)


def _equal(sent: str, wanted: str) -> bool:
    return hmac.compare_digest(sent.encode(errors="replace"), wanted.encode())
