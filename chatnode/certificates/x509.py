"""Keys, requests and certificates in PEM and DER.

`cryptography` is imported by each function (docs/adr/0030-what-is-imported-when.md): a node with a certificate that it
was given needs it for its first health check only. The import takes 50 ms; call these in a thread, or at the start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import attrs

from chatnode.model.records import record

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_SELF_SIGNED_DAYS = 3_650
_CHALLENGE_DAYS = 7
_ACME_IDENTIFIER = "1.3.6.1.5.5.7.1.31"
"""RFC 8737, section 3."""


@record(frozen=True)
class Facts:
    """What a certificate says. Times are seconds since 1970. `ari` is its name in ARI, empty if it has none."""

    names: tuple[str, ...]
    issuer: str
    serial: str
    not_before: float
    not_after: float
    self_signed: bool
    ari: str
    der: bytes = attrs.field(repr=False)

    @property
    def lifetime(self) -> float:
        """Seconds."""
        return self.not_after - self.not_before


def new_key() -> str:
    """A key of ECDSA P-256, in PEM."""
    from cryptography.hazmat.primitives.asymmetric import ec

    return _pem(ec.generate_private_key(ec.SECP256R1()))


def read(pem: bytes) -> Facts:
    """The first certificate of a PEM file. Raises `ValueError`."""
    from cryptography import x509

    try:
        return _facts(x509.load_pem_x509_certificates(pem)[0])
    except ValueError:
        raise
    except Exception as error:  # such as InvalidVersion, DuplicateExtension, UnsupportedGeneralNameType, TypeError
        raise ValueError(f"the certificate cannot be parsed: {error}") from error


def _facts(found: x509.Certificate) -> Facts:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    organization = [*found.issuer.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)]
    common = [*found.issuer.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    issuer = " ".join(str(each.value) for each in (*organization, *common))
    return Facts(
        tuple(_names(found)), issuer, f"{found.serial_number:x}", found.not_valid_before_utc.timestamp(),
        found.not_valid_after_utc.timestamp(), found.issuer == found.subject, _ari(found),
        found.public_bytes(Encoding.DER),
    )  # fmt: skip


def _names(certificate: x509.Certificate) -> list[str]:
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    addresses = [str(each) for each in found.get_values_for_type(x509.IPAddress)]
    return [*found.get_values_for_type(x509.DNSName), *addresses]


def _ari(certificate: x509.Certificate) -> str:
    from cryptography import x509

    from chatnode.acme.renewal_info import certificate_id

    try:
        key = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        return ""
    return certificate_id(key, certificate.serial_number) if key else ""


def signing_request(key: str, domains: Sequence[str]) -> bytes:
    """A request for a certificate, in DER."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding

    names = x509.SubjectAlternativeName([x509.DNSName(domain) for domain in domains])
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(names, critical=False)
    return builder.sign(_key(key), hashes.SHA256()).public_bytes(Encoding.DER)


def self_signed(domains: Sequence[str]) -> bytes:
    """A certificate that nobody trusts, with its key, in PEM."""
    return _make(domains, _SELF_SIGNED_DAYS, None)


def for_challenge(domain: str, authorization: str) -> bytes:
    """The certificate that answers a TLS-ALPN-01 challenge, with its key, in PEM."""
    return _make([domain], _CHALLENGE_DAYS, hashlib.sha256(authorization.encode()).digest())


def _make(domains: Sequence[str], days: int, digest: bytes | None) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "chatnode, self-signed")])
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(domain) for domain in domains]), critical=False)
    )
    if digest is not None:
        octets = b"\x04\x20" + digest  # an OCTET STRING of 32 bytes
        builder = builder.add_extension(
            x509.UnrecognizedExtension(x509.ObjectIdentifier(_ACME_IDENTIFIER), octets), critical=True
        )
    return _pem(key).encode() + builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _pem(key: EllipticCurvePrivateKey) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _key(pem: str) -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(pem.encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not a key for ECDSA")
    return key
