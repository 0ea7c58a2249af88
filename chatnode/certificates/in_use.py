"""The certificate in use."""

from __future__ import annotations

import ssl

import trio

from chatnode.certificates import x509
from chatnode.certificates.x509 import Facts


class CertificateInUse:
    """What new handshakes get; open connections keep what they began with. `context` is None before there is any."""

    def __init__(self) -> None:
        self.context: ssl.SSLContext | None = None
        self.pem = b""
        self._facts: Facts | None = None

    def take(self, context: ssl.SSLContext, pem: bytes) -> None:
        """Use another one from now on. `pem` has its chain."""
        self.context, self.pem, self._facts = context, pem, None

    async def facts(self) -> Facts:
        """What the certificate says. Raises `ValueError` if it cannot be understood."""
        while self._facts is None:
            pem = self.pem
            found = await trio.to_thread.run_sync(x509.read, pem)
            if pem is self.pem:
                self._facts = found
        return self._facts
