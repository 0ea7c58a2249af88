"""What the node keeps of its certificates: `tls` in the data directory, readable by the node's user only.

    certificate.pem   the key and the chain in use, in one file, so that they always belong together
    accounts.json     the accounts at authorities, by the URL of the directory
    state.json        the order under way, and what became of the last try

Secret, and in no backup: a node that is restored elsewhere obtains a new certificate.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import orjson

from chatnode.acme.orders import CertificateOrder
from chatnode.errors import Refusal
from chatnode.logs import get_logger
from chatnode.protocol import codec
from chatnode.storage.engine.durable_files import replace
from chatnode.storage.engine.file_owners import make_directory

logger = get_logger("certificates")


@attrs.frozen
class AcmeAccount:
    """`key` is PEM; `url` is empty until the authority has opened the account; `contact` as it was told."""

    key: str = attrs.field(repr=False)
    url: str = ""
    contact: str = ""


@attrs.frozen
class State:
    """`directory`: where the certificate in use came from. `next_try`, in seconds since 1970, counts only after
    failures."""

    directory: str = ""
    order: CertificateOrder | None = None
    failures: int = 0
    failed_at: float = 0.0
    next_try: float = 0.0
    problem: str = ""
    revoked: str = ""
    """The serial number of a certificate that was revoked."""
    early_at: float = 0.0
    """When the certificate in use replaced one that was not due yet, in seconds since 1970; 0 if that one was due."""


class CertificateStore:
    """The methods block. All but `state` raise `OSError`; then what was there is still there."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def certificate(self) -> Path:
        return self.directory / "certificate.pem"

    def save_certificate(self, pem: bytes) -> None:
        self._write(self.certificate, pem)

    def account(self, directory: str) -> AcmeAccount | None:
        """The account at an authority."""
        found = self._read("accounts.json").get(directory)
        try:
            return codec.read(found, AcmeAccount) if found is not None else None
        except Refusal:
            logger.error("%s: cannot be read; a new account is opened", self.directory / "accounts.json")
            return None

    def save_account(self, directory: str, account: AcmeAccount) -> None:
        self._write(
            self.directory / "accounts.json",
            orjson.dumps({**self._read("accounts.json"), directory: attrs.asdict(account)}),
        )

    def state(self) -> State:
        """As saved; a new one if there is none, or it cannot be read, which is logged."""
        try:
            return codec.read(self._read("state.json"), State)
        except (OSError, Refusal) as error:
            why = error.strerror if isinstance(error, OSError) else error.message
            logger.error("%s: cannot be read: %s; the next try starts over", self.directory / "state.json", why)
            return State()

    def save_state(self, state: State) -> None:
        self._write(self.directory / "state.json", orjson.dumps(attrs.asdict(state)))

    def _read(self, name: str) -> dict[str, Any]:
        try:
            found: Any = orjson.loads((self.directory / name).read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError:
            found = None
        if isinstance(found, dict):
            return found  # pyright: ignore[reportUnknownVariableType]
        logger.error("%s: cannot be read: it is not a JSON object", self.directory / name)
        return {}

    def _write(self, path: Path, data: bytes) -> None:
        make_directory(self.directory)
        replace(path, data)
