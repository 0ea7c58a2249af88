"""The ports that a node listens on, and the URLs at which it is reached."""

from __future__ import annotations

import socket

from chatnode.addresses import Bind, is_loopback, parse_bind
from chatnode.certificates import wanted
from chatnode.config import Config
from chatnode.dispatch.core import base_path_of, public_url_of
from chatnode.errors import StartError
from chatnode.logs import get_logger
from chatnode.model.records import record
from chatnode.transport.listener import listen

logger = get_logger("node")


@record(frozen=True)
class Ports:
    """Sockets that listen: `main` is the node's port, `plain` the one that redirects to it, which is seldom there."""

    bind: Bind
    main: list[socket.socket]
    plain: list[socket.socket]

    @property
    def port(self) -> int:
        return self.main[0].getsockname()[1]

    def url(self, config: Config) -> str:
        """Where the node's port is."""
        return self.bind.url(_scheme(config), self.port) + base_path_of(config.server)

    def warn(self, config: Config) -> None:
        """Log what is probably not meant."""
        if not config.speaks_tls:
            self._warn_of_plain()
        if config.acme.accept_terms:
            wanted.warn(config, str(self.bind))

    def _warn_of_plain(self) -> None:
        open_to_others = [each.getsockname()[0] for each in self.main if not is_loopback(each.getsockname()[0])]
        if open_to_others:
            logger.warning(
                "listening without TLS on %s: others can read passwords and messages on the network; set "
                "acme.accept_terms, or server.tls_certificate and server.tls_key, or listen on 127.0.0.1 behind a "
                "reverse proxy with TLS",
                ", ".join(open_to_others),
            )


def open_ports(config: Config, bind: str | None) -> Ports:
    """Listen; `bind` is an address and a port, instead of the setting. Raises `StartError`."""
    where = _bind(bind or config.server.bind)
    main = listen(where)
    try:
        return Ports(where, main, listen(_bind(config.server.http_bind)) if config.server.http_bind else [])
    except StartError:
        for each in main:
            each.close()
        raise


def base_url(config: Config) -> str:
    """How people reach the node, as far as the settings tell before it serves; empty while the port is not known."""
    server, bind = config.server, _bind(config.server.bind)
    own = bind.url(_scheme(config), bind.port) + base_path_of(server) if bind.port else ""
    return public_url_of(server) or own


def _scheme(config: Config) -> str:
    return "https" if config.speaks_tls else "http"


def _bind(text: str) -> Bind:
    """Raises `StartError`."""
    try:
        return parse_bind(text)
    except ValueError as error:
        raise StartError(f"cannot listen on {text!r}: {error}") from None
