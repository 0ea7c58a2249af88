"""TLS contexts for the server's side."""

from __future__ import annotations

import os
import ssl

from chatnode.errors import StartError

ACME_PROTOCOL = "acme-tls/1"
"""What a client that looks at a challenge speaks, and nothing else (RFC 8737)."""


def of_files(certificate: str, key: str) -> ssl.SSLContext:
    """Of the files that settings name. Raises `StartError`, also if certificate and key do not belong together."""
    context = _new("http/1.1")
    try:
        context.load_cert_chain(certificate, key, password=_no_passphrase)  # else OpenSSL asks for one at the terminal
    except (OSError, ssl.SSLError) as error:
        raise StartError(
            f"server.tls_certificate {certificate} and server.tls_key {key} cannot be used: {error}"
        ) from None
    return context


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
