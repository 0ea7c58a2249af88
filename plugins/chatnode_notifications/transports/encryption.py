"""Encryption of pushes for the device (RFC 8291), so that push services cannot read them.

Import it when it is needed only: it brings in OpenSSL, which a node without Web Push never pays for.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, cast

import http_ece as _http_ece  # pyright: ignore[reportMissingTypeStubs]
from cryptography.hazmat.primitives.asymmetric import ec

_ece = cast("Any", _http_ece)
RECORD_BYTES = 4_096
MOST_BYTES = 3_993
"""Of the plain text. Services must take messages of 4,096 bytes (RFC 8030, 7.2), and encryption adds 103: a header of
86, a delimiter and a tag of 16."""
_POINT_BYTES, _AUTH_BYTES = 65, 16


def decoded(text: str) -> bytes:
    """Base64url, with or without padding. Raises `ValueError`."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("is not base64url") from None


def encoded(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def check_public_key(text: str) -> None:
    """Raises `ValueError` unless it is an uncompressed point of P-256."""
    point = decoded(text)
    if len(point) != _POINT_BYTES or point[0] != 4:
        raise ValueError(f"must be an uncompressed point of {_POINT_BYTES} bytes")
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        raise ValueError("is not a point of the curve P-256") from None


def check_auth(text: str) -> None:
    """Raises `ValueError` unless it is a secret of 16 bytes."""
    if len(decoded(text)) != _AUTH_BYTES:
        raise ValueError(f"must have {_AUTH_BYTES} bytes")


def encrypt(plain: bytes, p256dh: str, auth: str) -> bytes:
    """The body of a push, for the device with these keys; `plain` has up to `MOST_BYTES`."""
    return _ece.encrypt(
        plain, private_key=ec.generate_private_key(ec.SECP256R1()), dh=decoded(p256dh), auth_secret=decoded(auth),
        version="aes128gcm", rs=RECORD_BYTES,
    )  # fmt: skip
