"""TLS with the node's own certificate."""

from __future__ import annotations

import ssl

from chatnode.config import Server
from chatnode.errors import StartError


def server_context(settings: Server) -> ssl.SSLContext | None:
    """The TLS context of the settings, or None for plain TCP. Raises `StartError`."""
    if not settings.tls_certificate and not settings.tls_key:
        return None
    if not settings.tls_certificate or not settings.tls_key:
        raise StartError("server.tls_certificate and server.tls_key belong together; one is missing")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise StartError(
            f"server.tls_certificate {settings.tls_certificate} and server.tls_key {settings.tls_key} "
            f"cannot be used: {error}"
        ) from None
    return context
