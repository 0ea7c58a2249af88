"""Where clamd listens: the setting `clamd`."""

from __future__ import annotations

import trio

from chatnode.api import record

_FORMS = "expected unix:/path/to/the/socket or tcp:host:port"


@record(frozen=True)
class ClamdAddress:
    """A path, or a host and a port."""

    path: str = ""
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        return self.path or f"{self.host}:{self.port}"

    async def connect(self) -> trio.SocketStream:
        """Raises `OSError`."""
        if self.path:
            return await trio.open_unix_socket(self.path)
        return await trio.open_tcp_stream(self.host, self.port)


def parse_clamd(text: str) -> ClamdAddress | None:
    """The address that the setting names; None if it is empty. Raises `ValueError`."""
    scheme, _, rest = text.partition(":")
    if not text:
        return None
    if scheme == "unix":
        if not rest.startswith("/") or "\0" in rest:
            raise ValueError(_FORMS)
        return ClamdAddress(path=rest)
    host, _, port = rest.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if scheme != "tcp" or not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise ValueError(_FORMS)
    return ClamdAddress(host=host, port=int(port))


def check_clamd(text: str) -> str:
    """The setting as it is, if it names an address or is empty. Raises `ValueError`."""
    parse_clamd(text)
    return text
