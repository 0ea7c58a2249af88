"""Nodes that obtain their certificate, and what their clients see."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from chatnode.certificates import x509
from chatnode.certificates.node_certificate import NodeCertificate
from chatnode.certificates.x509 import Facts
from chatnode.config import Acme, Config, Limits, OutboundSettings, Server
from chatnode.node import Node, open_node
from tests.certificates.pebble import Place
from tests.transport.clients import Address, address_of, open_wire

NOWHERE = "https://127.0.0.1:1/directory"
"""A directory that the node may not even ask, as it is not allowed."""


def settings(
    place: Place | None = None,
    *,
    names: Sequence[str] = ("a.example",),
    http_bind: str = "",
    head_seconds: float = 30.0,
    **acme: Any,
) -> Config:
    directory = place.directory if place is not None else NOWHERE
    return Config(
        server=Server(
            bind=f"127.0.0.1:{place.tls_port if place is not None else 0}", http_bind=http_bind, shutdown_seconds=1.0
        ),
        acme=Acme(accept_terms=True, domains=tuple(names), directory=directory, staging=directory, **acme),
        outbound=OutboundSettings(allow=(place.address,) if place is not None else ()),
        limits=Limits(connections_per_address=0, requests_per_minute=0, logins_per_minute=0, head_seconds=head_seconds),
    )  # fmt: skip


@asynccontextmanager
async def served(data: Path, config: Config) -> AsyncGenerator[tuple[Node, Address]]:
    """A node without plugins that serves until the block ends."""
    async with open_node(data, config, only=()) as node, trio.open_nursery() as nursery:
        yield node, address_of(await nursery.start(node.serve))
        nursery.cancel_scope.cancel()


def challenges(node: Node) -> Any:
    return node.core.part(NodeCertificate).challenges


async def status(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = await node.call("certificate.status")
    return found


async def issued(node: Node, within: float = 30) -> dict[str, Any]:
    """The certificate, once an authority has issued it."""
    with trio.fail_after(within):
        while (found := await status(node))["certificate"]["self_signed"]:
            assert not found["failures"], found
            await trio.sleep(0.02)
    certificate: dict[str, Any] = found["certificate"]
    return certificate


async def failed(node: Node, within: float = 30) -> dict[str, Any]:
    """The status, once a try has failed."""
    with trio.fail_after(within):
        while not (found := await status(node))["failures"]:  # noqa: ASYNC110
            await trio.sleep(0.02)
    return found


def anyone() -> ssl.SSLContext:
    """A client that does not care who serves."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def shown(address: Address, trust: ssl.SSLContext | None = None, name: str = "a.example") -> Facts:
    """The certificate that a new client gets. With `trust`, the client verifies it for the name."""
    stream = trio.SSLStream(await open_wire(address), trust or anyone(), server_hostname=name, https_compatible=True)
    with trio.fail_after(10):
        await stream.do_handshake()
    der = stream.getpeercert(binary_form=True)
    await trio.aclose_forcefully(stream)
    return x509.read(ssl.DER_cert_to_PEM_cert(der).encode())
