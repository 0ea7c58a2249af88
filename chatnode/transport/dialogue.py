"""What is said on a client socket, whatever carries its bytes: hello, requests, replies in their order, the close.

`socket.py` speaks it on a connection of the node's own, in frames; `asgi_socket.py` in a program that the node is
mounted in, whose server has the connection. The first request is `hello` (`greeting.py`), or one that needs nobody
signed in. What is asked is the concern of `requests.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable
from math import inf
from typing import ClassVar

import trio
from websockets.frames import Close, CloseCode

from chatnode.dispatch.caller import Caller
from chatnode.errors import Refusal
from chatnode.model.commands.resume import Hello
from chatnode.protocol import codec
from chatnode.protocol.envelopes import RequestFrame
from chatnode.routing.outbox import DRAIN_SECONDS, Outbox, Wire
from chatnode.transport.close_codes import RESUME_TOO_SLOW, STOP_NO_HELLO, STOP_TOO_MANY_FRAMES
from chatnode.transport.greeting import Greeting, SocketSession
from chatnode.transport.origins import Credentials
from chatnode.transport.requests import SessionRequests, SocketBackend, SocketCarrier


class Dialogue(ABC):
    """One client socket from its upgrade to its end. Everything that is sent goes through `outbox`, as frames."""

    __slots__ = ("_backend", "_carrier", "_greeting", "outbox", "requests", "session")

    requests_kind: ClassVar[type[SessionRequests]] = SessionRequests

    def __init__(self, backend: SocketBackend, credentials: Credentials, carrier: SocketCarrier, wire: Wire) -> None:
        self._backend = backend
        self._carrier = carrier
        self._greeting: Greeting | None = Greeting(backend, credentials, self._sign_in)
        """Until hello."""
        self.session: SocketSession | None = None
        self.outbox = Outbox(wire, backend.limits.outbox_bytes, self._overflow, backend.start)
        self.requests = self.requests_kind(backend, self, carrier, self.outbox, credentials.address)

    # ---- until hello

    @abstractmethod
    async def _hear_until_hello(self) -> bool:
        """Answer what comes until there is a session; returns whether the connection goes on."""

    async def _begin(self, greeting: Greeting) -> bool:
        """Serve requests until hello; returns whether the connection continues."""
        greeting.patience.deadline = trio.current_time() + (self._backend.limits.hello_seconds or inf)
        with greeting.patience:
            if not await self._hear_until_hello():
                return False
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
            if self.session is None and not self._may_come_before_hello(text):
                return
            await self.requests.answer([text])

    def hello(self, request: RequestFrame) -> Awaitable[None]:
        """Sign in, and catch up."""
        hello = codec.structure(request.fields, Hello)
        if self.session is not None or self._greeting is None:
            raise Refusal("bad_request", "you have already sent hello", path="op")
        return self._greeting.welcome(request.id, hello, self.requests)

    def _sign_in(self, session: SocketSession, caller: Caller) -> None:
        self.session, self.requests.caller = session, caller

    def _may_come_before_hello(self, text: bytes) -> bool:
        """Count it; whether the connection goes on. It is not known who sends it, and long texts take long to read."""
        most = self._backend.limits.hello_bytes
        if most and len(text) > most:
            self.close(CloseCode.MESSAGE_TOO_BIG, f"more than {most} bytes before hello")
            return False
        self._count_before_hello(1)
        return not self.outbox.closed

    def _count_before_hello(self, frames: int) -> None:
        greeting, limit = self._greeting, self._backend.limits.hello_frames
        assert greeting is not None
        greeting.frames += frames
        if limit and greeting.frames > limit:
            self.close(STOP_TOO_MANY_FRAMES, f"more than {limit} frames before hello")

    # ---- ending

    @abstractmethod
    def refuse_text(self) -> None:
        """The text of the last request was not UTF-8."""

    @abstractmethod
    def check_alive(self, now: float, idle_seconds: float) -> None:
        """End a client that was silent for too long, unless the carrier of the socket sees to it."""

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

    async def drain(self) -> None:
        """Detach; returns when what is queued was sent, or after some seconds."""
        if self.session is not None:
            self._backend.registry.detach(self.session)
        self.requests.abandon()
        with trio.move_on_after(DRAIN_SECONDS, shield=True):
            await self.outbox.wait_empty()
