"""One client socket: text frames of a WebSocket, from the upgrade to the end.

RFC 6455 is left to `websockets`' sans-I/O protocol (`frames.py`); what a text asks is the concern of `requests.py`, who
reads the bytes, and in which task, the carrier's. Rules of this file:

- The first request is `hello` (`greeting.py`), or one that needs nobody signed in.
- A broken frame closes the connection, as the RFC says.
- Control frames are answered before the requests they came with; a close frame behind the replies.
"""

from __future__ import annotations

from collections.abc import Awaitable
from math import inf
from typing import ClassVar

import trio
from websockets.frames import Close

from chatnode.dispatch.caller import Caller
from chatnode.errors import Refusal
from chatnode.model.commands.resume import Hello
from chatnode.protocol import codec
from chatnode.protocol.envelopes import RequestFrame
from chatnode.routing.outbox import DRAIN_SECONDS, Outbox, SocketWire, StreamWire
from chatnode.transport.close_codes import RESUME_TOO_SLOW, STOP_NO_HELLO, STOP_TOO_MANY_FRAMES
from chatnode.transport.connection import Connection
from chatnode.transport.frames import MessageReader
from chatnode.transport.greeting import Greeting, SocketSession
from chatnode.transport.head import Head, refusal_response
from chatnode.transport.origins import Credentials
from chatnode.transport.requests import SessionRequests, SocketBackend, SocketCarrier

_PING = b"\x89\x00"


class ClientSocket:
    """One client socket from its upgrade to its end."""

    __slots__ = (
        "_backend", "_carrier", "_connection", "_frames_paid_until", "_greeting", "_reader", "heard_at", "outbox",
        "pinged", "requests", "session",
    )  # fmt: skip

    requests_kind: ClassVar[type[SessionRequests]] = SessionRequests

    def __init__(
        self, backend: SocketBackend, credentials: Credentials, connection: Connection, carrier: SocketCarrier
    ) -> None:
        limits = backend.limits
        self._backend = backend
        self._carrier = carrier
        self._connection = connection
        self._greeting: Greeting | None = Greeting(backend, credentials, self._sign_in)
        """Until hello."""
        self._reader = MessageReader(limits.frame_bytes)
        self._frames_paid_until = 0.0
        self.heard_at = trio.current_time()
        self.pinged = False
        self.session: SocketSession | None = None
        wire = StreamWire(connection.tls) if connection.tls is not None else SocketWire(connection.socket)
        self.outbox = Outbox(wire, limits.outbox_bytes, self._overflow, backend.start)
        self.requests = self.requests_kind(backend, self, carrier, self.outbox, credentials.address)

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

    async def _begin(self, greeting: Greeting) -> bool:
        """Serve requests until hello; returns whether the connection continues."""
        data, self._connection.buffered = self._connection.buffered, b""
        greeting.patience.deadline = trio.current_time() + (self._backend.limits.hello_seconds or inf)
        with greeting.patience:
            while self.session is None:
                data = data or await self._connection.receive()
                if not data:
                    return False
                await self._answer(self._hear(data, trio.current_time()))
                if not await self.take_rest():
                    return False
                data = b""
        self._greeting = None
        if greeting.patience.cancelled_caught:
            self.close(STOP_NO_HELLO, "send hello first")
            return False
        return True

    async def _answer(self, texts: list[bytes]) -> None:
        """Answer requests: one by one if they came before hello, or with it."""
        if self.session is not None:
            await self.requests.answer(texts)
            return
        for text in texts:
            if self.session is None:
                self._count_before_hello(1)
            await self.requests.answer([text])

    def hello(self, request: RequestFrame) -> Awaitable[None]:
        """Sign in, and catch up."""
        hello = codec.structure(request.fields, Hello)
        if self.session is not None or self._greeting is None:
            raise Refusal("bad_request", "you have already sent hello", path="op")
        return self._greeting.welcome(request.id, hello, self.requests)

    def _sign_in(self, session: SocketSession, caller: Caller) -> None:
        self.session, self.requests.caller = session, caller

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
        """The text of the last request was not UTF-8."""
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

    def _count_before_hello(self, frames: int) -> None:
        greeting, limit = self._greeting, self._backend.limits.hello_frames
        assert greeting is not None
        greeting.frames += frames
        if limit and greeting.frames > limit:
            self.close(STOP_TOO_MANY_FRAMES, f"more than {limit} frames before hello")

    # ---- ending

    def close(self, code: int, reason: str, *, now: bool = False) -> None:
        """Send a close frame, take and send nothing more."""
        payload = Close(code, reason[:100]).serialize()
        self.outbox.close_with(bytes((0x88, len(payload))) + payload, now=now)
        if self.session is not None:
            self._backend.registry.detach(self.session)
        self._carrier.end()

    def _overflow(self) -> None:
        self._backend.core.metrics.overflows += 1
        cursor = self.session.gid if self.session is not None else 0
        self.close(RESUME_TOO_SLOW, f"too slow; resume from your cursor, at most {cursor}", now=True)

    def check_alive(self, now: float, idle_seconds: float) -> None:
        """Ping a client that was silent for `idle_seconds`; end it when it stays silent for as long again."""
        silent = now - self.heard_at
        if silent > 2 * idle_seconds:
            self._carrier.end()
        elif silent > idle_seconds and not self.pinged:
            self.pinged = True
            self.outbox.send(_PING)

    async def drain(self) -> None:
        """Detach; returns when what is queued was sent, or after some seconds."""
        if self.session is not None:
            self._backend.registry.detach(self.session)
        self.requests.abandon()
        with trio.move_on_after(DRAIN_SECONDS, shield=True):
            await self.outbox.wait_empty()
