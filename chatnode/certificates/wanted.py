"""Which certificate the settings ask for, and what does not go together."""

from __future__ import annotations

import attrs

from chatnode.acme.jws import unb64
from chatnode.addresses import is_loopback, parse_bind, parse_url, read_domain
from chatnode.config import Acme, Config
from chatnode.errors import StartError
from chatnode.logs import get_logger

logger = get_logger("certificates")

MOST_DOMAINS = 100
"""Authorities take no more in one certificate."""


def check(config: Config) -> None:
    """Raises `StartError` for settings that contradict each other."""
    server, acme = config.server, config.acme
    if bool(server.tls_certificate) != bool(server.tls_key):
        raise StartError("server.tls_certificate and server.tls_key belong together; one is missing")
    if not acme.accept_terms:
        _refuse_half_set(acme)
    elif server.tls_certificate:
        raise StartError("acme.accept_terms and server.tls_certificate are both set; remove one of them")
    elif server.public_url.startswith("http://"):
        raise StartError("server.public_url begins with http://, and with acme the port speaks TLS; use https://")
    else:
        domains(config)
        _check_binding(acme)
    if server.http_bind and not config.speaks_tls:
        raise StartError("server.http_bind redirects to https://, and there is no certificate; set acme.accept_terms")


def _refuse_half_set(acme: Acme) -> None:
    default = Acme()
    for field in attrs.fields(Acme):
        if getattr(acme, field.name) != getattr(default, field.name):
            raise StartError(
                f"acme.{field.name} is set, and acme.accept_terms is not: set it to true if you accept the terms of "
                "service of the authority"
            )


def _check_binding(acme: Acme) -> None:
    if bool(acme.eab_kid) != bool(acme.eab_key):
        raise StartError("acme.eab_kid and acme.eab_key_file belong together; one is missing")
    try:
        unb64(acme.eab_key)
    except ValueError:
        raise StartError("acme.eab_key is not base64url, as the authority gave it to you") from None


def domains(config: Config) -> tuple[str, ...]:
    """The names of the certificate. Raises `StartError`."""
    given = config.acme.domains
    if given:
        if len(given) > MOST_DOMAINS:
            raise StartError(f"acme.domains has {len(given)} names; a certificate takes {MOST_DOMAINS}")
        return given
    if not config.server.public_url:
        raise StartError("acme.accept_terms is set, but there is no name: set acme.domains or server.public_url")
    try:
        return (read_domain(parse_url(config.server.public_url).host),)
    except ValueError as error:
        raise StartError(
            f"no certificate is obtained for server.public_url {config.server.public_url}: {error}; set acme.domains"
        ) from None


def warn(config: Config, bind: str) -> None:
    """Say at the start what will probably keep the authority from reaching the node."""
    if config.server.trusted_proxies:
        logger.warning(
            "acme: server.trusted_proxies is set; behind a proxy that terminates TLS, no authority reaches this node's "
            "port: let the proxy obtain the certificate, and remove [acme]"
        )
    elif is_loopback(parse_bind(bind).host) or parse_bind(bind).host == "localhost":
        logger.warning(
            "acme: the node listens on %s, this machine only; the authority connects to port 443 of %s%s",
            bind, ", ".join(domains(config)), " or to port 80" if config.server.http_bind else "",
        )  # fmt: skip
