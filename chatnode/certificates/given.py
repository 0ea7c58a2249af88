"""A certificate in files that settings name. Another program renews them; the node takes up what is new."""

from __future__ import annotations

import os
import time
from pathlib import Path

import trio

from chatnode.certificates import contexts
from chatnode.certificates.in_use import CertificateInUse
from chatnode.certificates.x509 import Facts
from chatnode.config import Server
from chatnode.errors import StartError
from chatnode.logs import get_logger

logger = get_logger("certificates")

LOOK_SECONDS = 30.0
"""How often the files are looked at."""
_LATE_SHARE, _LATE_SECONDS = 1 / 4, 21 * 86_400.0
"""Programs that renew such files do so when a third of the lifetime is left. A certificate with less than this left was
forgotten; one for a year is bought again by hand, and not months before."""

_Stamp = tuple[tuple[int, int, int] | None, ...]


class GivenFiles:
    """Opened before the node serves; `run` while it does."""

    def __init__(self, settings: Server, in_use: CertificateInUse) -> None:
        self._certificate, self._key = settings.tls_certificate, settings.tls_key
        self._in_use = in_use
        self._seen: _Stamp = ()
        self._refused: tuple[_Stamp, str] | None = None
        self._tries = 0

    def open(self) -> None:
        """Raises `StartError`."""
        self._seen = self._stamp()
        self._load()

    async def run(self) -> None:
        """Take up files that have changed. Of two files that do not belong together, one is not written yet."""
        while True:
            await trio.sleep(LOOK_SECONDS)
            stamp = await trio.to_thread.run_sync(self._stamp)
            if stamp == self._seen:
                self._refused, self._tries = None, 0
            else:
                self._take_up(stamp)

    def _take_up(self, stamp: _Stamp) -> None:
        """Files that cannot be used are tried again at each look: what hinders it may be no change of theirs, such as
        permissions. It is logged once."""
        try:
            self._load()
        except StartError as error:
            self._tries += 1
            if self._refused != (stamp, str(error)):
                self._refused = stamp, str(error)
                logger.error("%s; the previous certificate stays in use", error)
        else:
            self._seen, self._refused, self._tries = stamp, None, 0
            logger.info("%s has changed and is in use", self._certificate)

    def _load(self) -> None:
        """Raises `StartError`."""
        context = contexts.of_files(self._certificate, self._key)
        try:
            chain = Path(self._certificate).read_bytes()
        except OSError as error:  # it was there a moment ago
            raise StartError(f"server.tls_certificate {self._certificate} cannot be read: {error.strerror}") from None
        self._in_use.take(context, chain)

    def _stamp(self) -> _Stamp:
        return tuple(_stamp(path) for path in (self._certificate, self._key))

    def problem(self, facts: Facts) -> str | None:
        """Why the certificate needs somebody's attention. Files that one look cannot use may be half written."""
        if self._refused is not None and self._tries > 1:
            return self._refused[1]
        if not facts.names:
            return "it names no host as a subject alternative name, so browsers refuse it; obtain another one"
        if facts.not_after - time.time() <= min(facts.lifetime * _LATE_SHARE, _LATE_SECONDS):
            return "renew the files of server.tls_certificate and server.tls_key; the node reloads them"
        return None


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
