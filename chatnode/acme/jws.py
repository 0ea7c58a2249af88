"""How requests to an authority are signed: ES256 with the account's key (RFC 7515), HS256 to bind an account to one
that exists elsewhere (RFC 8555, section 7.3.4).

`cryptography` is imported for the first key (docs/adr/0030-what-is-imported-when.md).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_NUMBER_BYTES = 32
"""Of a number of P-256."""


def b64(data: bytes) -> str:
    """Base64url without padding, as everything in JWS."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """Raises `ValueError`."""
    if not text.isascii():
        raise ValueError("not base64url")
    return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True)


def thumbprint(jwk: Mapping[str, str]) -> str:
    """The name of a public key (RFC 7638)."""
    needed = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    return b64(hashlib.sha256(orjson.dumps(needed, option=orjson.OPT_SORT_KEYS)).digest())


class AccountKey:
    """The ECDSA P-256 key by which an authority knows an account."""

    def __init__(self, key: EllipticCurvePrivateKey) -> None:
        self._key = key
        numbers = key.public_key().public_numbers()
        self.jwk = {
            "kty": "EC",
            "crv": "P-256",
            "x": b64(numbers.x.to_bytes(_NUMBER_BYTES)),
            "y": b64(numbers.y.to_bytes(_NUMBER_BYTES)),
        }
        self.thumbprint = thumbprint(self.jwk)

    @classmethod
    def of(cls, pem: str) -> AccountKey:
        """From PKCS 8. Raises `ValueError`."""
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        key = load_pem_private_key(pem.encode(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise ValueError("not a key of P-256")
        return cls(key)

    def sign(self, protected: Mapping[str, Any], payload: bytes) -> bytes:
        """The body of a request: JWS in flattened JSON. `protected` is the header without `alg`."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

        head, body = b64(orjson.dumps({"alg": "ES256", **protected})), b64(payload)
        r, s = decode_dss_signature(self._key.sign(f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(_NUMBER_BYTES) + s.to_bytes(_NUMBER_BYTES)
        return _flattened(head, body, signature)


def binding(jwk: Mapping[str, str], kid: str, key: bytes, url: str) -> dict[str, str]:
    """The proof, by a key that the authority gave to its customer, that the account of `jwk` is that customer's."""
    head = b64(orjson.dumps({"alg": "HS256", "kid": kid, "url": url}))
    body = b64(orjson.dumps(dict(jwk)))
    found: dict[str, str] = orjson.loads(_flattened(head, body, mac(f"{head}.{body}", key)))
    return found


def mac(signed: str, key: bytes) -> bytes:
    """HS256 (RFC 7518, section 3.2)."""
    return hmac.digest(key, signed.encode(), "sha256")


def _flattened(head: str, body: str, signature: bytes) -> bytes:
    return orjson.dumps({"protected": head, "payload": body, "signature": b64(signature)})
