"""The certificate of a node's port, wherever it comes from."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from chatnode.certificates import wanted
from chatnode.certificates.challenges import HTTP, TLS_ALPN, Challenges
from chatnode.certificates.given import GivenFiles
from chatnode.certificates.in_use import CertificateInUse
from chatnode.certificates.x509 import Facts
from chatnode.config import Config
from chatnode.outbound.client import Outbound
from chatnode.storage.engine.database import Database
from chatnode.storage.engine.directory import DataDirectory

if TYPE_CHECKING:
    from chatnode.certificates.keeper import Keeper


class NodeCertificate:
    """A part of the node. `keeper` obtains the certificate; None if it is in files that settings name, or there is
    none. `serving`: whether `run` does its work."""

    def __init__(self, config: Config, directory: DataDirectory, db: Database, outbound: Outbound) -> None:
        self._config = config
        self.in_use = CertificateInUse()
        self.challenges = Challenges((HTTP, TLS_ALPN) if config.server.http_bind else (TLS_ALPN,))
        self.keeper: Keeper | None = None
        self.serving = False
        self._given: GivenFiles | None = None
        if config.acme.accept_terms:
            # Imported by nodes that need it (docs/adr/0030-what-is-imported-when.md).
            from chatnode.certificates.keeper import Keeper
            from chatnode.certificates.store import CertificateStore

            store = CertificateStore(directory.tls)
            self.keeper = Keeper(config, store, self.in_use, self.challenges, db, outbound)
        elif config.server.tls_certificate:
            self._given = GivenFiles(config.server, self.in_use)

    @property
    def source(self) -> Keeper | GivenFiles | None:
        return self.keeper or self._given

    def open(self) -> None:
        """Load the certificate; blocks for a moment. Raises `StartError`."""
        wanted.check(self._config)
        if self.source is not None:
            self.source.open()

    async def run(self) -> None:
        """Keep it up to date while the node serves."""
        if self.source is None:
            return
        self.serving = True
        try:
            await self.source.run()
        finally:
            self.serving = False

    async def report(self) -> tuple[Facts, str | None] | None:
        """What is in use, and why it needs attention, if it does; None on a plain port."""
        if self.source is None or self.in_use.context is None:
            return None
        facts = await self.in_use.facts()
        left = facts.not_after - time.time()
        problem = self.source.problem(facts)
        if problem is None and left > 0:
            return facts, None
        name = ", ".join(facts.names) or "the certificate"
        if facts.self_signed and self.keeper is not None:
            return facts, f"{name}: self-signed: {problem}"
        when = f"expires in {left / 86_400:.1f} days" if left > 0 else "has expired"
        return facts, "; ".join([f"{name}: {when}", *([problem] if problem is not None else [])])
