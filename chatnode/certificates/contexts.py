"""TLS contexts for the server's side."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from chatnode.errors import StartError

ACME_PROTOCOL = "acme-tls/1"
"""What a client that looks at a challenge speaks, and nothing else (RFC 8737)."""


def of_files(certificate: str, key: str) -> ssl.SSLContext:
    """Of the files that settings name. Raises `StartError`, also if certificate and key do not belong together."""
    context = _new("http/1.1")
    try:
        context.load_cert_chain(certificate, key, password=_no_passphrase)  # else OpenSSL asks for one at the terminal
    except (OSError, ssl.SSLError) as error:
        raise StartError(_why_not(certificate, key, error)) from None
    return context


def _why_not(certificate: str, key: str, error: OSError) -> str:
    """Which of the files is at fault, and what to do. OpenSSL names no file, and has one error for most mistakes."""
    chain, secret = (f"server.tls_certificate {certificate}", f"server.tls_key {key}")
    contents: list[bytes] = []
    for name, path in ((chain, certificate), (secret, key)):
        try:
            contents.append(Path(path).read_bytes())
        except OSError as unread:
            return f"{name} cannot be read: {unread.strerror}"
    if b"-----BEGIN CERTIFICATE-----" not in contents[0]:
        return f"{chain} has no certificate; expected a PEM file with -----BEGIN CERTIFICATE-----"
    if b"PRIVATE KEY-----" not in contents[1]:
        return f"{secret} has no private key; expected a PEM file with -----BEGIN PRIVATE KEY-----"
    if b"ENCRYPTED" in contents[1]:
        return f"{secret} has a passphrase; write the key without one: openssl pkey -in {key} -out FILE"
    if isinstance(error, ssl.SSLError) and error.reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"):
        return (
            f"{secret} is not the key of the first certificate in server.tls_certificate {certificate}; the node's own "
            "certificate comes first, then those that lead to the authority"
        )
    return f"{chain} and {secret} cannot be used: {error}"


def _no_passphrase() -> str:
    return ""


def of_pem(pem: bytes, protocol: str = "http/1.1") -> ssl.SSLContext:
    """Of a key and its certificate chain. Raises `ssl.SSLError` if they do not belong together, or are none."""
    context = _new(protocol)
    # OpenSSL's Python binding reads files only; this one is in memory and gone afterwards.
    handle = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(handle), "wb") as file:
            file.write(pem)
        context.load_cert_chain(f"/proc/self/fd/{handle}")
    finally:
        os.close(handle)
    return context


def _new(protocol: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([protocol])
    return context
