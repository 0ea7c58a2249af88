"""Challenges of an authority that are open now, and their answers."""

from __future__ import annotations

import ssl
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from chatnode.certificates import contexts, x509

HTTP, TLS_ALPN = "http-01", "tls-alpn-01"


class Challenges:
    """One per node. The listeners ask it; `kinds` are those that the node answers, the best first."""

    def __init__(self, kinds: Sequence[str]) -> None:
        self.kinds = kinds
        self._tokens: dict[str, str] = {}
        self._contexts: dict[str, ssl.SSLContext] = {}

    @contextmanager
    def open(self, kind: str, domain: str, token: str, authorization: str) -> Generator[None]:
        """Answer a challenge within a block."""
        if kind == HTTP:
            self._tokens[token] = authorization
        else:
            pem = x509.for_challenge(domain, authorization)
            self._contexts[domain.lower()] = contexts.of_pem(pem, contexts.ACME_PROTOCOL)
        try:
            yield
        finally:
            self._tokens.pop(token, None)
            self._contexts.pop(domain.lower(), None)

    @property
    def on_tls(self) -> bool:
        """Whether a client may come that looks at a challenge: only then a listener must look at what clients offer."""
        return bool(self._contexts)

    def context(self, domain: str) -> ssl.SSLContext | None:
        """The context that answers for a name."""
        return self._contexts.get(domain.lower())

    def authorization(self, token: str) -> str | None:
        """What is to be answered over HTTP."""
        return self._tokens.get(token)
