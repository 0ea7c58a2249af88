"""One HTTP request and its response, as an ASGI application sees them.

The application runs in the connection's own task, and the connection is read when it calls `receive`: a body comes as
fast as it is taken, and a response goes as fast as the client takes it. What is promised:

- `receive` tells a disconnect as soon as the client has closed, or the response is complete; `send` raises
  `ClientGone`. Both can be cancelled, at any time.
- An application may answer before it has read the body. What little is left is read and dropped; for more, the
  connection ends.
- A body that is malformed is a disconnect for the application, and the client gets a 400.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, MutableMapping
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import unquote

import trio

from chatnode.concurrency import Signal
from chatnode.logs import get_logger
from chatnode.transport.body import body_reader
from chatnode.transport.connection import GONE, LINGER_SECONDS, READ_BYTES, Connection
from chatnode.transport.failures import unexpected_refusal
from chatnode.transport.head import BadRequest, Head, refusal_response
from chatnode.transport.response import ResponseWriter

logger = get_logger("http")

BODY_READ_BYTES = 65_536
"""The most that is read of a body at a time: a large one costs a quarter of what it does in reads of the usual size."""
DRAIN_BYTES = 65_536
"""So much of a body that nobody wanted is read, to keep the connection."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
NO_APPLICATION = "the node cannot answer HTTP requests now; its log says why"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Application(Protocol):
    """An ASGI application, version 3."""

    def __call__(
        self,
        scope: Any,
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
        /,
    ) -> Awaitable[None]: ...


class ClientGone(OSError):
    """The client has closed the connection."""


class Exchange:
    """Made for one request. Once `stopping` is set, no response that begins keeps its connection."""

    def __init__(self, connection: Connection, head: Head, stopping: trio.Event) -> None:
        self._connection = connection
        self._head = head
        self._stopping = stopping
        self._body = body_reader(head)
        self._body_given = False
        self._owes_continue = head.expects_continue and not self._body.done
        self._response = ResponseWriter(head)
        self._gone = False
        self._sending = False
        self._malformed: BadRequest | None = None
        self._receiving = trio.CancelScope()

    async def run(self, app: Application) -> bool:
        """Let `app` answer; returns whether the connection can take a further request."""
        try:
            await app(self._scope(), self.receive, self.send)
        except Exception:
            if self._response.begun or self._gone or self._malformed:
                raise
            await self.refuse(500, unexpected_refusal().message)
            return False
        if self._malformed is not None:
            await self.refuse(self._malformed.status, self._malformed.reason)
        elif not self._response.begun and not self._gone:
            logger.error("the application returned no response")  # the path may have a token
            await self.refuse(500, "the node did not answer")
        return self._response.complete and self._response.keep_alive and await self._drain()

    def _scope(self) -> dict[str, Any]:
        head, connection = self._head, self._connection
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": head.version,
            "method": head.method.decode(),
            "scheme": "http" if connection.tls is None else "https",
            "path": unquote(head.path.decode()),
            "raw_path": head.path,
            "query_string": head.query,
            "root_path": "",
            "headers": list(head.fields),
            "client": (connection.address, connection.port),
            "server": connection.local_address,
            "state": {"close_connection": connection.close_now, "stopping": self._stopping},
            "extensions": {},
        }

    # ---- the request

    async def receive(self) -> Message:
        """A part of the body, or that the client has gone."""
        reads = not (self._body.done or self._connection.buffered or self._gone or self._malformed)
        if not reads:
            await trio.lowlevel.checkpoint()  # reading from the connection is one
        with trio.CancelScope() as self._receiving:
            if self._response.complete or self._malformed:
                return {"type": "http.disconnect"}
            try:
                if not self._body_given:
                    part = await self._next_part()
                    self._body_given = self._body.done
                    return {"type": "http.request", "body": part, "more_body": not self._body.done}
                await self._wait_gone()
            except BadRequest as error:
                self._malformed = error
            except GONE:
                self._gone = True
        return {"type": "http.disconnect"}

    async def _next_part(self) -> bytes:
        """The next part of the body; empty at its end only. Raises `BadRequest`, or one of `GONE`."""
        if self._owes_continue and not self._response.begun:
            self._owes_continue = False
            await self._connection.send_all(_CONTINUE)
        part = b""
        while not part and not self._body.done:
            data = self._connection.buffered or await self._read(BODY_READ_BYTES)
            part, self._connection.buffered = self._body.feed(data)
        return part

    async def _wait_gone(self) -> None:
        """Until the client closes: then one of `GONE` is raised. A next request that comes early is kept, up to a
        read's size."""
        while len(self._connection.buffered) < READ_BYTES:
            self._connection.buffered += await self._read()
        await trio.sleep_forever()

    async def _read(self, most: int = READ_BYTES) -> bytes:
        if self._gone or self._connection.closed:
            raise ClientGone
        data = await self._connection.receive(most)
        if not data:
            raise ClientGone
        return data

    async def _drain(self) -> bool:
        """Read what the application left of the body; returns whether all of it came."""
        drained = 0
        try:
            with trio.move_on_after(LINGER_SECONDS):
                while not self._body.done and drained < DRAIN_BYTES:
                    drained += len(await self._next_part())
        except (BadRequest, *GONE):
            return False
        return self._body.done

    # ---- the response

    async def send(self, message: Message) -> None:
        """Raises `ClientGone`, or `ValueError` for a message that has no place here."""
        await trio.lowlevel.checkpoint()
        if self._sending:
            raise RuntimeError("a previous send was cancelled or is in progress; nothing can follow it")
        if not self._response.begun:
            self._response.keep_alive &= self._can_stay()
        data = self._response.write(message)
        if data:
            await self._send_all(data)
        if self._response.complete:
            self._receiving.cancel()

    def _can_stay(self) -> bool:
        little_left = self._body.done or (not self._head.chunked and self._body.left <= DRAIN_BYTES)
        return little_left and not self._owes_continue and not self._stopping.is_set()

    async def _send_all(self, data: bytes) -> None:
        if self._gone or self._connection.closed:
            raise ClientGone
        self._sending = True
        try:
            await self._connection.send_all(data)
        except GONE:
            self._gone = True
            raise ClientGone from None
        self._sending = False

    async def refuse(self, status: int, reason: str) -> None:
        """Answer in the application's place, if nothing was sent."""
        if not self._response.begun and not self._gone:
            with trio.move_on_after(LINGER_SECONDS):
                await self._send_all(refusal_response(status, reason))


class HttpServer:
    """Answers the requests that the listener hands over, by an ASGI application.

    `make_app` is called in a thread with the first request, because importing the framework takes long. HTTP requests
    that come meanwhile wait for it; client sockets do not. If it fails, the request gets a 503 and the next one calls
    it again.
    """

    def __init__(self, make_app: Callable[[], Application]) -> None:
        self._make_app = make_app
        self._app: Application | None = None
        self._making = trio.Lock()
        self._answering = 0
        self.stopping = trio.Event()
        """Set when the node stops."""
        self._idle = Signal()

    async def serve(self, connection: Connection, head: Head) -> bool:
        """A handler of the listener."""
        connection.hold_little()
        with self.answering():
            exchange = Exchange(connection, head, self.stopping)
            app = self._app or await self.application()
            if app is None:
                await exchange.refuse(503, NO_APPLICATION)
                return False
            return await exchange.run(app)

    @contextmanager
    def answering(self) -> Generator[None]:
        """Around each request: `stop` waits for it."""
        self._answering += 1
        try:
            yield
        finally:
            self._answering -= 1
            if not self._answering:
                self._idle.notify()

    async def application(self) -> Application | None:
        """The application; None if it cannot be made. Making it is not cancellable once begun: if the request is
        cancelled, the application serves later ones."""
        async with self._making:
            if self._app is None:
                try:
                    self._app = await trio.to_thread.run_sync(self._make_app)
                except Exception as error:
                    # The log leaves out what exceptions say, which may be users' words; this one's are not.
                    logger.exception("HTTP requests cannot be answered: the application cannot be created: %s", error)
                await trio.lowlevel.checkpoint_if_cancelled()  # the node may have stopped, and closed the connection
            return self._app

    async def stop(self) -> None:
        """Keep no connection any more; returns when all requests in hand are answered."""
        self.stopping.set()
        while self._answering:
            await self._idle.wait()
