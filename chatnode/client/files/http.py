"""HTTP requests to a node, signed in, over the same kind of connection as its client socket."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Mapping
from contextlib import aclosing, asynccontextmanager
from types import MappingProxyType

import httpcore2
import trio

from chatnode.client.errors import Unreachable
from chatnode.client.wire import OPEN_SECONDS, Address, open_stream
from chatnode.errors import ConnectionLost

WRITE_SECONDS = 60.0
"""How long the node may take to accept a piece of a body."""
READ_SECONDS = 120.0
"""How long the node may take to answer, and between two pieces of an answer: it hashes files and decodes pictures."""
MOST_ANSWER_BYTES = 2**20
"""Of an answer that is read whole."""
_NOTHING: Mapping[str, str] = MappingProxyType({})
_FAULTS = (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError)


class NodeHttp:
    """Requests may run side by side, each on a connection of its own; one that is left open is used again.

    Redirects are not followed: the token is for this node only.
    """

    def __init__(self, address: Address, token: str, tls: ssl.SSLContext | None) -> None:
        self.url = address.url
        self._address = address
        self._token = token
        self._tls = tls
        self._idle: list[httpcore2.AsyncHTTP11Connection] = []
        self._closed = False

    @asynccontextmanager
    async def request(
        self, method: str, path: str, headers: Mapping[str, str] = _NOTHING, body: AsyncIterable[bytes] | bytes = b""
    ) -> AsyncGenerator[HttpResponse]:
        """Send a request and give the response, whatever its status. `path` is below the node's address.

        A streamed body needs a `Content-Length` that it keeps to. Its errors pass through; everything else that goes
        wrong is `Unreachable`. When the node answers before it has read the body, the rest is not sent.
        """
        connection = await self._connection()
        try:
            with self._saying_what_broke():
                answer = await connection.handle_async_request(self._request(method, path, headers, body))
            try:
                yield HttpResponse(self, answer)
            finally:
                with trio.CancelScope(shield=True):
                    await answer.aclose()
        except BaseException:
            with trio.CancelScope(shield=True):
                await connection.aclose()
            raise
        if connection.is_available() and not self._closed:
            self._idle.append(connection)

    async def aclose(self) -> None:
        """Nothing is requested any more."""
        self._closed = True
        while self._idle:
            with trio.CancelScope(shield=True):
                await self._idle.pop().aclose()

    async def _connection(self) -> httpcore2.AsyncHTTP11Connection:
        if self._closed:
            raise ConnectionLost("the client is closed")
        while self._idle:
            connection = self._idle.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        stream = await open_stream(self._address, self._tls, trio.current_time() + OPEN_SECONDS)
        return httpcore2.AsyncHTTP11Connection(self._origin(), _NodeStream(stream))

    def _origin(self) -> httpcore2.Origin:
        scheme = b"https" if self._address.secure else b"http"
        return httpcore2.Origin(scheme, self._address.host_field.encode(), self._address.port)

    def _request(
        self, method: str, path: str, headers: Mapping[str, str], body: AsyncIterable[bytes] | bytes
    ) -> httpcore2.Request:
        origin = self._origin()
        url = httpcore2.URL(
            scheme=origin.scheme, host=origin.host, port=origin.port, target=self._address.target(path).encode()
        )
        fields = {"Host": self._address.host_field, "Authorization": f"Bearer {self._token}", **headers}
        if isinstance(body, bytes) and (body or method in ("POST", "PATCH", "PUT")):
            fields["Content-Length"] = str(len(body))
        return httpcore2.Request(method, url, headers=list(fields.items()), content=body)

    @contextlib.contextmanager
    def _saying_what_broke(self) -> Generator[None]:
        try:
            yield
        except httpcore2.TimeoutException as error:
            raise Unreachable(f"{self.url} {error}") from None
        except _FAULTS as error:
            why = f": {error}" if str(error) else ""
            raise Unreachable(f"the connection to {self.url} broke{why}") from error


class HttpResponse:
    """The head of a response, and its body as it arrives. Header names are in lower case."""

    def __init__(self, http: NodeHttp, response: httpcore2.Response) -> None:
        self._http = http
        self._response = response
        self.status = response.status
        self.headers = {name.decode().lower(): value.decode("latin-1") for name, value in response.headers}

    @property
    def url(self) -> str:
        """Of the node."""
        return self._http.url

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The body, once; to be closed. Raises `Unreachable` when it ends early."""
        with self._http._saying_what_broke():  # pyright: ignore[reportPrivateUsage]
            async with aclosing(self._response.aiter_stream()) as parts:
                async for part in parts:
                    yield part

    async def read(self) -> bytes:
        """The whole body. Raises `Unreachable`, also for one that no node sends."""
        whole = bytearray()
        async with aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                whole += chunk
                if len(whole) > MOST_ANSWER_BYTES:
                    raise Unreachable(f"{self.url} answers with more than {MOST_ANSWER_BYTES} bytes")
        return bytes(whole)


class _NodeStream(httpcore2.AsyncNetworkStream):
    """An open connection, as httpcore2 wants it. How long things may take is decided here."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        try:
            with trio.fail_after(READ_SECONDS):
                return bytes(await self._stream.receive_some(max_bytes))
        except trio.TooSlowError:
            raise httpcore2.ReadTimeout(f"did not answer within {READ_SECONDS:g} s") from None
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise httpcore2.ReadError(str(error.__cause__ or error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        try:
            with trio.fail_after(WRITE_SECONDS):
                await self._stream.send_all(buffer)
        except trio.TooSlowError:
            raise httpcore2.WriteTimeout(f"accepted nothing for {WRITE_SECONDS:g} s") from None
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise httpcore2.WriteError(str(error.__cause__ or error)) from error

    async def aclose(self) -> None:
        await trio.aclose_forcefully(self._stream)

    def get_extra_info(self, info: str) -> object:
        if info != "is_readable":
            return None
        plain: object = getattr(self._stream, "transport_stream", self._stream)  # below TLS
        assert isinstance(plain, trio.SocketStream)
        return plain.socket.is_readable()
