"""An authority of our own: Debian's pebble, with the DNS server that comes with it, on loopback."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import attrs
import trustme

from tests.needs import program

START_SECONDS = 20.0
BINDING = ("kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W")
"""An external account that pebble knows when it requires one."""
REFUSED = "refused.example"
"""A name that pebble issues nothing for."""


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@attrs.frozen
class Place:
    """Where pebble is to listen and to look, and its own certificate: it may start later, or again."""

    folder: Path
    port: int = attrs.field(factory=free_port)
    management: int = attrs.field(factory=free_port)
    dns: int = attrs.field(factory=free_port)
    tls_port: int = attrs.field(factory=free_port)
    http_port: int = attrs.field(factory=free_port)

    @classmethod
    def made_in(cls, folder: Path) -> Place:
        folder.mkdir(parents=True, exist_ok=True)
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1", "localhost")
        authority.cert_pem.write_to_path(str(folder / "trust.pem"))
        issued.private_key_pem.write_to_path(str(folder / "key.pem"))
        for number, pem in enumerate(issued.cert_chain_pems):
            pem.write_to_path(str(folder / "certificate.pem"), append=number > 0)
        return cls(folder)

    @property
    def trust(self) -> Path:
        """What clients of pebble must trust, as in SSL_CERT_FILE."""
        return self.folder / "trust.pem"

    @property
    def directory(self) -> str:
        return f"https://127.0.0.1:{self.port}/dir"

    @property
    def address(self) -> str:
        """For `outbound.allow`."""
        return f"127.0.0.1:{self.port}"

    def asked(self, path: str) -> bytes:
        """An answer of pebble's management interface."""
        context = ssl.create_default_context(cafile=str(self.trust))
        with urlopen(f"https://127.0.0.1:{self.management}{path}", context=context) as answer:
            found: bytes = answer.read()
        return found

    def root(self) -> ssl.SSLContext:
        """The trust of clients of the node in what pebble issues now."""
        return ssl.create_default_context(cadata=self.asked("/roots/0").decode())

    def status_of(self, serial: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.asked(f"/cert-status-by-serial/{serial}"))
        return found


@contextmanager
def running(place: Place, *, binding: bool = False, lifetime: int = 0, **variables: str) -> Generator[Place]:
    """pebble in strict mode, which refuses half of all nonces. `lifetime` of certificates in seconds, 0 for its own."""
    config = {
        "pebble": {
            "listenAddress": place.address,
            "managementListenAddress": f"127.0.0.1:{place.management}",
            "certificate": str(place.folder / "certificate.pem"),
            "privateKey": str(place.folder / "key.pem"),
            "httpPort": place.http_port,
            "tlsPort": place.tls_port,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": binding,
            "externalAccountMACKeys": dict([BINDING]),
            "domainBlocklist": [REFUSED],
            "certificateValidityPeriod": lifetime,
        }
    }
    file = place.folder / "pebble.json"
    file.write_text(json.dumps(config))
    environment = {
        "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "50", "PEBBLE_AUTHZREUSE": "0", **variables,
    }  # fmt: skip
    dns = [
        program("pebble-challtestsrv"), "-management", "", "-http01", "", "-https01", "", "-tlsalpn01", "",
        "-dns01", f"127.0.0.1:{place.dns}", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "",
    ]  # fmt: skip
    pebble = [program("pebble"), "-strict", "-config", str(file), "-dnsserver", f"127.0.0.1:{place.dns}"]
    with ExitStack() as stack:
        for command, log in ((dns, "dns.log"), (pebble, "pebble.log")):
            stack.enter_context(_process(command, place.folder / log, environment))
        _wait_until_there(place)
        yield place


@contextmanager
def _process(command: list[str], log: Path, environment: Mapping[str, str]) -> Generator[None]:
    with log.open("ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, **environment})
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _wait_until_there(place: Place) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            place.root()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError((place.folder / "pebble.log").read_text()[-2_000:])
