"""Connections, each to an address that was judged and to no other.

Imported with the first request (docs/adr/0030-what-is-imported-when.md): nodes that send none need no httpcore2.
"""

from __future__ import annotations

import base64
import logging
import socket
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from ipaddress import ip_address
from typing import Any

import h11
import httpcore2
import trio

from chatnode.addresses import EgressProxy, IPAddress
from chatnode.outbound.addresses import Target
from chatnode.outbound.answers import LEAST_BYTES_PER_SECOND
from chatnode.outbound.errors import Blocked, Failed, TimedOut
from chatnode.outbound.hops import Hop, encoded_headers

CONNECT_SECONDS = 3.0
"""For each address."""
MOST_ADDRESSES = 4
"""As many of a host's addresses are tried."""
TLS_SECONDS = 5.0
FIRST_BYTE_SECONDS = 10.0
"""For the request, if it is short, and the answer's head."""
KEEP_ALIVE_SECONDS = 4.0
"""Less than the 5 s after which Node.js and Apache close an idle connection, so that requests hardly ever meet that."""
MOST_HEAD_BYTES = 32_768
MOST_INFORMATIONAL = 16
"""Answers such as 103 (Early Hints) before the one that counts."""
MOST_FIELDS = 500
"""Header fields of one answer and of those before it: h11 takes longer for thousands than others should wait."""
_READ_BYTES = 16_384
_SEND_BYTES = 65_536

# At the level debug it logs whole requests: URLs, and headers with secrets.
logging.getLogger("httpcore2").setLevel(logging.WARNING)


class _ByteStream(httpcore2.AsyncNetworkStream):
    """A stream of trio as httpcore2 wants it. Times are limited by who waits.

    Head and body are written one after the other; they are sent together, before the answer is read.
    """

    def __init__(self, stream: trio.abc.Stream, socket: trio.SocketStream) -> None:
        self._stream = stream
        self._socket = socket.socket
        self._unsent = bytearray()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        # A peer may answer and close before it has read all: then the answer counts.
        with suppress(httpcore2.WriteError):
            await self._flush()
        try:
            return bytes(await self._stream.receive_some(max_bytes))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise httpcore2.ReadError from None

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        self._unsent += buffer
        if len(self._unsent) >= _SEND_BYTES:
            await self._flush()

    async def _flush(self) -> None:
        data, self._unsent = bytes(self._unsent), bytearray()
        if not data:
            return
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise httpcore2.WriteError from None

    async def aclose(self) -> None:
        self._socket.close()

    def get_extra_info(self, info: str) -> Any:
        return self._socket.is_readable() if info == "is_readable" else None


class _Http(httpcore2.AsyncHTTP11Connection):
    READ_NUM_BYTES = _READ_BYTES
    MAX_INCOMPLETE_EVENT_SIZE = MOST_HEAD_BYTES
    _heads = 0
    _fields = 0

    async def _receive_event(self, timeout: float | None = None) -> h11.Event | type[h11.PAUSED]:  # noqa: ASYNC109
        event = await super()._receive_event(timeout)
        if isinstance(event, h11.InformationalResponse | h11.Response):
            self._heads, self._fields = self._heads + 1, self._fields + len(event.headers)
            if self._heads > 1 + MOST_INFORMATIONAL or self._fields > MOST_FIELDS:
                raise httpcore2.RemoteProtocolError("endless response headers")
            if isinstance(event, h11.Response):
                self._heads, self._fields = 0, 0
        return event

    def has_more(self) -> bool:
        """Whether bytes were read behind the last answer, which would be taken for the next one."""
        data, _ = self._h11_state.trailing_data
        return bool(data)


class IncomingAnswer:
    """An answer whose head was read. `headers` are by name in lower case; values of one name are joined by commas."""

    def __init__(self, origin: str, response: httpcore2.Response) -> None:
        self.status = response.status
        self.headers: dict[str, str] = {}
        for name, value in response.headers:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text
        self._origin = origin
        self._response = response

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The body. Close it with `contextlib.aclosing`. Raises `Failed`."""
        try:
            async with aclosing(self._response.aiter_stream()) as chunks:
                async for chunk in chunks:
                    yield chunk
        except httpcore2.RemoteProtocolError:
            raise Failed(f"{self._origin} ends its answer too early, or not as HTTP/1.1 requires") from None
        except httpcore2.NetworkError:
            raise Failed(f"the connection to {self._origin} broke") from None

    async def aclose(self) -> None:
        """After all chunks: the connection may be used again."""
        await self._response.aclose()


class OutboundConnection:
    """To one address, for requests to one origin, one after another."""

    def __init__(self, target: Target, address: IPAddress, stream: trio.abc.Stream, socket: trio.SocketStream) -> None:
        self.origin = target.origin
        self.address = address
        self.through_proxy: list[tuple[bytes, bytes]] | None = None
        """Headers for a proxy that gets whole URLs; None if there is none."""
        self._socket = socket
        self._http = _Http(_url(target, b"").origin, _ByteStream(stream, socket), KEEP_ALIVE_SECONDS)

    @property
    def reusable(self) -> bool:
        """Whether another request can be sent: the answer was read to its end, nothing more came, and the peer keeps
        the connection."""
        return self._http.is_idle() and not self._http.has_more() and not self._http.has_expired()

    def close(self) -> None:
        """At once; nothing is sent."""
        self._socket.socket.close()

    async def send(self, hop: Hop) -> IncomingAnswer:
        """Send a request and read the answer's head. Raises `Failed` or `TimedOut`, or `Blocked` for its headers."""
        target, headers = hop.target.path.encode(), encoded_headers(hop)
        if self.through_proxy is not None:
            target, headers = hop.target.url.encode(), headers + self.through_proxy
        request = httpcore2.Request(hop.method, _url(hop.target, target), headers=headers, content=hop.body)
        with trio.move_on_after(FIRST_BYTE_SECONDS + len(hop.body) / LEAST_BYTES_PER_SECOND):
            return IncomingAnswer(self.origin, await _response_to(self._http, request, self.origin))
        raise TimedOut(f"{self.origin} did not answer within {FIRST_BYTE_SECONDS:.0f} s")


async def _response_to(
    http: httpcore2.AsyncHTTP11Connection, request: httpcore2.Request, origin: str
) -> httpcore2.Response:
    """The head, with errors in our terms."""
    try:
        return await http.handle_async_request(request)
    except httpcore2.LocalProtocolError:
        raise Blocked(f"a header of requests to {origin} is not valid") from None
    except httpcore2.RemoteProtocolError:
        raise Failed(f"{origin} does not answer as HTTP/1.1 requires") from None
    except httpcore2.NetworkError:
        raise Failed(f"the connection to {origin} broke") from None


class Network:
    """Makes connections. Its context for TLS takes tens of milliseconds to load, so make it in a thread."""

    def __init__(self, proxy: EgressProxy | None) -> None:
        self._proxy = proxy
        # The system's certificates. On Linux truststore would read them again for each connection, and OpenSSL before
        # 3.4 keeps every copy (truststore's issue 212).
        self._tls = httpcore2.default_ssl_context()
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._tls.set_alpn_protocols(["http/1.1"])

    async def connect(self, target: Target, addresses: Sequence[IPAddress]) -> OutboundConnection:
        """A connection to the first of these addresses that answers: judged ones of the target, or the proxy's. Raises
        `Failed` or `TimedOut`."""
        proxy = self._proxy
        if proxy is None:
            port, to = target.port, target.origin
        else:
            port, to = proxy.url.port, f"the proxy for {target.origin}"
        address, socket = await _dial(addresses, port, to)
        try:
            stream: trio.abc.Stream = socket
            if proxy is not None and proxy.url.scheme == "https":
                stream = await self._start_tls(stream, proxy.url.host.strip("[]"), to)
            if proxy is not None and target.scheme == "https":
                await _open_tunnel(stream, socket, proxy, target)
            if target.scheme == "https":
                stream = await self._start_tls(stream, target.host, target.origin)
            connection = OutboundConnection(target, address, stream, socket)
            if proxy is not None and target.scheme == "http":
                connection.through_proxy = _credentials(proxy)
            return connection
        except BaseException:
            socket.socket.close()
            raise

    async def _start_tls(self, stream: trio.abc.Stream, host: str, to: str) -> trio.abc.Stream:
        # Most servers close without saying so in TLS; the length of an answer is checked by HTTP.
        secured = trio.SSLStream(stream, self._tls, server_hostname=host, https_compatible=True)
        try:
            with trio.fail_after(TLS_SECONDS):
                await secured.do_handshake()
        except trio.TooSlowError:
            raise TimedOut(f"{to} did not complete the TLS handshake within {TLS_SECONDS:.0f} s") from None
        except trio.BrokenResourceError as error:
            if isinstance(error.__cause__, ssl.SSLCertVerificationError):
                reason = error.__cause__.verify_message
                raise Failed(f"the certificate of {to} is not valid: {reason}") from None
            raise Failed(f"{to} does not offer TLS 1.2 or newer, or ended the handshake") from None
        return secured


async def _dial(addresses: Sequence[IPAddress], port: int, to: str) -> tuple[IPAddress, trio.SocketStream]:
    failure: Failed = Failed(f"{to} has no address")
    for address in addresses[:MOST_ADDRESSES]:
        try:
            return address, await _dial_one(address, port, to)
        except trio.TooSlowError:
            failure = TimedOut(f"{to} did not accept a connection within {CONNECT_SECONDS:.0f} s")
        except OSError:
            failure = Failed(f"{to} refuses connections")
    raise failure


async def _dial_one(address: IPAddress, port: int, to: str) -> trio.SocketStream:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    sock = trio.socket.socket(family, socket.SOCK_STREAM)
    try:
        with trio.fail_after(CONNECT_SECONDS):
            await sock.connect((str(address), port))
        if ip_address(sock.getpeername()[0]) != address:
            raise Failed(f"{to} was reached at another address than the one that was checked")
        return trio.SocketStream(sock)
    except BaseException:
        sock.close()
        raise


async def _open_tunnel(stream: trio.abc.Stream, socket: trio.SocketStream, proxy: EgressProxy, target: Target) -> None:
    host = f"[{target.host}]" if ":" in target.host else target.host
    place = f"{host}:{target.port}".encode()
    http = _Http(_url(target, b"").origin, _ByteStream(stream, socket))
    request = httpcore2.Request("CONNECT", _url(target, place), headers=[(b"Host", place), *_credentials(proxy)])
    with trio.move_on_after(FIRST_BYTE_SECONDS):
        status = (await _response_to(http, request, f"the proxy for {target.origin}")).status
        if status == 403:
            raise Blocked(f"the proxy refuses {target.origin}")
        if not 200 <= status < 300:
            raise Failed(f"the proxy answers {status} for {target.origin}")
        return
    raise TimedOut(f"the proxy for {target.origin} did not answer within {FIRST_BYTE_SECONDS:.0f} s")


def _credentials(proxy: EgressProxy) -> list[tuple[bytes, bytes]]:
    if not proxy.credentials:
        return []
    return [(b"Proxy-Authorization", b"Basic " + base64.b64encode(proxy.credentials.encode()))]


def _url(target: Target, path: bytes) -> httpcore2.URL:
    return httpcore2.URL(scheme=target.scheme, host=target.host, port=target.port, target=path)
