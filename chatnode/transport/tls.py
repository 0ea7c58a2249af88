"""Which certificate a client gets: the one in use, or the answer to a challenge that it came to look at."""

from __future__ import annotations

import socket
import ssl

import trio

from chatnode.certificates.node_certificate import NodeCertificate
from chatnode.transport.client_hello import MOST_BYTES, acme_name, bytes_needed
from chatnode.transport.connection import Connection


class PortTls:
    """TLS of the node's port. Its certificate may change between two handshakes."""

    def __init__(self, certificate: NodeCertificate) -> None:
        self._certificate = certificate

    async def begin(self, connection: Connection) -> bool:
        """Do the handshake; whether the client may go on to send requests. Raises one of `GONE`."""
        context = await self._challenged(connection)
        goes_on = context is None
        if context is None:
            context = self._certificate.in_use.context
        assert context is not None  # a port with TLS is opened with one
        connection.tls = trio.SSLStream(connection.stream(), context, server_side=True, https_compatible=True)
        await connection.tls.do_handshake()
        return goes_on

    async def _challenged(self, connection: Connection) -> ssl.SSLContext | None:
        """The context that answers a challenge, for a client that offers `acme-tls/1` alone. Clients are looked at only
        while a challenge is open: the first record is enough, which no authority splits."""
        challenges = self._certificate.challenges
        if not challenges.on_tls:
            return None
        name = acme_name(await peek_hello(connection))
        return challenges.context(name) if name is not None else None


async def peek_hello(connection: Connection) -> bytes:
    """The first record of a client, as far as it comes, without consuming it. The caller limits the time."""
    data = b""
    try:
        while (needed := bytes_needed(data)) > len(data):
            # Else the socket would be readable all the time, with what was peeked at before.
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, needed)
            await trio.lowlevel.wait_readable(connection.socket)
            before, data = data, connection.socket.recv(MOST_BYTES, socket.MSG_PEEK)
            if len(data) <= len(before):
                break  # the client has ended its side
    except BlockingIOError:
        pass  # nothing there after all; the handshake waits
    finally:
        if not connection.closed:
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
    return data
