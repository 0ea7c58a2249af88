"""Signatures of what is posted to others, as Standard Webhooks 1.0 has them (standardwebhooks.com)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence

PREFIX = "whsec_"
SECRET_BYTES = 32


def new_webhook_secret() -> str:
    """A new secret, as it is shown to people."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def webhook_headers(secrets: Sequence[str], id: str, timestamp: int, body: bytes) -> list[tuple[str, str]]:
    """The three headers that let the receiver verify `body`, which must be sent as it is.

    `timestamp` is in seconds, of this attempt. Each of the `secrets` gives a signature: two while one is being
    replaced. Raises `ValueError` for an id with a dot, which would make the signed text ambiguous.
    """
    if "." in id:
        raise ValueError(f"the id {id!r} of a webhook has a dot")
    signed = f"{id}.{timestamp}.".encode() + body
    signatures = " ".join(f"v1,{_signature(secret, signed)}" for secret in secrets)
    return [("webhook-id", id), ("webhook-timestamp", str(timestamp)), ("webhook-signature", signatures)]


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
