"""A client socket in a program that the node is mounted in: texts come and go as an ASGI server's messages.

The server has the connection, reads and writes its frames, and pings. What is promised:

- Requests that came together are begun together and answered in their order, as on a connection of the node's own.
- At most `MOST_HELD` bytes are read ahead of the requests in hand. Then the server is asked for no more.
- Bytes count as queued until the server has taken them, so that a client which reads too slowly is told to resume.
"""

from __future__ import annotations

from collections.abc import Callable

import trio
from websockets.frames import CloseCode

from chatnode.concurrency import Signal
from chatnode.logs import get_logger, kinds_of
from chatnode.transport.dialogue import Dialogue
from chatnode.transport.exchange import Message, Receive, Send
from chatnode.transport.origins import Credentials
from chatnode.transport.requests import SocketBackend, SocketCarrier

logger = get_logger("socket")

MOST_HELD = 65_536
_TEXT_BYTES = 64  # what a text costs beside its bytes: there may be very many that are empty


class AsgiWire:
    """Sends what an outbox sends: takes its frames apart, and hands each to the server as a message."""

    __slots__ = ("_send", "gone")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.gone = False
        """The client has closed: the server takes no more."""

    def send_now(self, data: bytes | memoryview) -> int:
        return 0

    async def send_rest(self, data: bytes | memoryview) -> int:
        if self.gone:
            raise trio.BrokenResourceError
        message, size = _message_of(data)
        try:
            await self._send(message)
        except Exception:  # each server has its own for a client that has gone
            raise trio.BrokenResourceError from None
        return size


def _message_of(data: bytes | memoryview) -> tuple[Message, int]:
    """The message for the first of these frames, which are whole, and the bytes of that frame."""
    length, start = data[1], 2
    if length > 125:
        start = 4 if length == 126 else 10
        length = int.from_bytes(data[2:start], "big")
    payload = data[start : start + length]
    if data[0] & 0x0F == 0x08:
        code, reason = int.from_bytes(payload[:2], "big"), str(payload[2:], "utf-8")
        return {"type": "websocket.close", "code": code, "reason": reason}, start + length
    return {"type": "websocket.send", "text": str(payload, "utf-8")}, start + length


class AsgiSocket(Dialogue):
    """One client socket from its upgrade to its end."""

    __slots__ = ("_at_end", "_changed", "_held", "_receive", "_send", "_texts", "_wire")

    def __init__(
        self, backend: SocketBackend, credentials: Credentials, receive: Receive, send: Send, carrier: SocketCarrier
    ) -> None:
        self._wire = AsgiWire(send)
        super().__init__(backend, credentials, carrier, self._wire)
        self._receive = receive
        self._send = send
        self._texts: list[bytes] = []
        self._held = 0
        self._at_end = False
        self._changed = Signal()

    async def run(self) -> None:
        """Accept, and serve until either side closes."""
        greeting = self._greeting
        assert greeting is not None
        cookie = await greeting.slide_cookie()
        if (await self._receive())["type"] != "websocket.connect":
            return
        fields = [(b"set-cookie", cookie.encode())] if cookie else []
        await self._send({"type": "websocket.accept", "headers": fields})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read)
            if await self._begin(greeting):
                while not self.outbox.closed and (texts := await self._next()):
                    await self.requests.answer(texts)
            nursery.cancel_scope.cancel()

    async def _hear_until_hello(self) -> bool:
        while self.session is None:
            texts = await self._next()
            if not texts:
                return False
            await self._answer(texts)
            if self.outbox.closed:
                return False
        return True

    # ---- what comes

    async def _read(self) -> None:
        """Read ahead of the requests in hand: so those that came together are known, and that the client has gone."""
        while (message := await self._receive())["type"] == "websocket.receive":
            text: str | None = message.get("text")
            if text is None:
                self.close(CloseCode.UNSUPPORTED_DATA, "text frames only")
                return
            data, most = text.encode(errors="surrogatepass"), self._backend.limits.frame_bytes
            if most and len(data) > most:
                self.close(CloseCode.MESSAGE_TOO_BIG, f"more than {most} bytes")
                return
            self._texts.append(data)
            self._held += len(data) + _TEXT_BYTES
            self._changed.notify()
            while self._held > MOST_HELD:
                await self._changed.wait()
        self._at_end = self._wire.gone = True
        self._changed.notify()

    async def _next(self) -> list[bytes]:
        """All requests that are there, at least one; none at the end."""
        while not self._texts and not self._at_end:
            await self._changed.wait()
        texts, self._texts, self._held = self._texts, [], 0
        self._changed.notify()
        return texts

    # ---- the end

    def refuse_text(self) -> None:
        self.close(CloseCode.INVALID_DATA, "not UTF-8")

    def check_alive(self, now: float, idle_seconds: float) -> None:
        """The server pings, and ends a connection that is dead."""


class AsgiCarrier:
    """Carries a socket in the task that the server's call runs in."""

    def __init__(self, make: Callable[[SocketCarrier], AsgiSocket]) -> None:
        self._scope = trio.CancelScope()
        self.socket = make(self)

    async def run(self) -> None:
        """Until either side closes, and what is queued was sent."""
        try:
            with self._scope:
                await self.socket.run()
        finally:
            await self.socket.drain()

    def advance(self) -> None:
        """Nothing is begun without a task."""

    def failed(self, error: Exception) -> None:
        logger.warning("a client socket failed: %s", kinds_of(error))
        self.end()

    def end(self) -> None:
        """Read and begin nothing more; `run` returns once everything queued is sent."""
        self._scope.cancel()

    def stop(self) -> None:
        """Tell the client to resume later, and end."""
        self.socket.close(CloseCode.GOING_AWAY, "the node is stopping; resume")
