"""A client socket on a connection of the node's own: from bytes to the texts of a `Dialogue`, and frames back.

RFC 6455 is left to `websockets`' sans-I/O protocol (`frames.py`); who reads the bytes, and in which task, is the
carrier's concern. Rules of this file:

- A broken frame closes the connection, as the RFC says.
- Control frames are answered before the requests they came with; a close frame behind the replies.
"""

from __future__ import annotations

import trio

from chatnode.routing.outbox import SocketWire, StreamWire
from chatnode.transport.close_codes import STOP_TOO_MANY_FRAMES
from chatnode.transport.connection import Connection
from chatnode.transport.dialogue import Dialogue
from chatnode.transport.frames import MessageReader
from chatnode.transport.head import Head, refusal_response
from chatnode.transport.origins import Credentials
from chatnode.transport.requests import SocketBackend, SocketCarrier

_PING = b"\x89\x00"


class ClientSocket(Dialogue):
    """One client socket from its upgrade to its end."""

    __slots__ = ("_connection", "_frames_paid_until", "_reader", "heard_at", "pinged")

    def __init__(
        self, backend: SocketBackend, credentials: Credentials, connection: Connection, carrier: SocketCarrier
    ) -> None:
        wire = StreamWire(connection.tls) if connection.tls is not None else SocketWire(connection.socket)
        super().__init__(backend, credentials, carrier, wire)
        self._connection = connection
        self._reader = MessageReader(backend.limits.frame_bytes)
        self._frames_paid_until = 0.0
        self.heard_at = trio.current_time()
        self.pinged = False

    # ---- until hello

    async def open(self, head: Head) -> bool:
        """Upgrade, and serve requests until hello; returns whether the connection goes on."""
        greeting = self._greeting
        assert greeting is not None
        cookie = await greeting.slide_cookie()
        if not self._reader.upgrade(head.raw, cookie):
            self.outbox.send(refusal_response(400, "this is not a WebSocket upgrade"))
            return False
        del head
        self.outbox.send(self._reader.closing())
        return self._reader.open and await self._begin(greeting)

    async def _hear_until_hello(self) -> bool:
        data, self._connection.buffered = self._connection.buffered, b""
        while self.session is None:
            data = data or await self._connection.receive()
            if not data:
                return False
            await self._answer(self._hear(data, trio.current_time()))
            if not await self.take_rest():
                return False
            data = b""
        return True

    # ---- from bytes to requests

    def receive(self, data: bytes, now: float) -> None:
        """Begin what came and needs no task; the rest is in the backlog. Empty `data` is the end."""
        if not data:
            self.requests.need_task().at_end = True
            return
        self.requests.begin(self._hear(data, now))
        if not self._reader.untouched and (self._reader.unread or not self._reader.open):
            self.requests.need_task()

    async def serve(self) -> None:
        """The loop of a session that keeps its task. Nearly always one request came, which is answered right here: each
        coroutine between a task and trio costs every wake-up of the task."""
        receive, requests, outbox = self._connection.receive, self.requests, self.outbox
        while not outbox.closed and (data := await receive()):
            texts = self._hear(data, trio.current_time())
            if len(texts) == 1:
                reply = await requests.reply_to(texts[0], requests.caller)
                if reply is not None and not outbox.waiting:
                    requests.send_reply_now(reply)
                else:
                    await requests.send_reply(reply)
            elif texts:
                await requests.answer(texts)
            if not self._reader.untouched and not await self.take_rest():
                return

    async def take_rest(self) -> bool:
        """Work on what came with control frames and fragments, a part at a time, so that others get their turn between.
        Returns whether the connection goes on."""
        reader = self._reader
        while reader.open and reader.unread and not self.outbox.closed:
            await trio.lowlevel.checkpoint()
            await self._answer(self._hear(b"", trio.current_time()))
        if not reader.open:
            self.outbox.send(reader.closing())
            self.outbox.closed = True
        return not self.outbox.closed

    def _hear(self, data: bytes, now: float) -> list[bytes]:
        """The requests that bytes which came complete. Control frames are answered at once."""
        self.heard_at = now
        self.pinged = False
        reader = self._reader
        frames = reader.frames
        texts = reader.feed(data)
        if not reader.untouched:
            if control := reader.control():
                self.outbox.send(control)
            self._charge(reader.frames - frames)
        return texts

    def refuse_text(self) -> None:
        self._reader.refuse_text()

    def _charge(self, frames: int) -> None:
        """Count control frames and fragments: each costs as much as a request does, and no other limit sees it."""
        if self.session is None:
            self._count_before_hello(frames)
        limit = self._backend.limits.frames_per_minute
        if limit:
            self._frames_paid_until = max(self._frames_paid_until, self.heard_at) + frames * 60 / limit
            if self._frames_paid_until > self.heard_at + 60.001:
                self.close(STOP_TOO_MANY_FRAMES, f"more than {limit} control frames and fragments in a minute")

    # ---- ending

    def check_alive(self, now: float, idle_seconds: float) -> None:
        """Ping a client that was silent for `idle_seconds`; end it when it stays silent for as long again."""
        silent = now - self.heard_at
        if silent > 2 * idle_seconds:
            self._carrier.end()
        elif silent > idle_seconds and not self.pinged:
            self.pinged = True
            self.outbox.send(_PING)
