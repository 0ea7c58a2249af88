"""The link to the node: connects, says hello, keeps the connection, and makes the next one when it is lost.

    app ── Calls ──┐                ┌── send_calls ──┐
                   ├─ Link ─ socket ┤                ├─ node
    app ── Feed ───┘                └── read ────────┘

Close codes 4000-4099, and a hello that is refused as unauthenticated, end it; anything else is resumed from.
"""

from __future__ import annotations

import contextlib
import ssl
from functools import partial
from typing import NoReturn

import attrs
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from chatnode.client.calls import Calls
from chatnode.client.errors import SignedOut, Unreachable
from chatnode.client.feed import Feed
from chatnode.client.wire import Address, ask, frame_object, open_socket
from chatnode.concurrency import Backoff, Signal, first_of
from chatnode.errors import Refusal
from chatnode.model.commands.resume import Hello, Welcome, Welcomed
from chatnode.protocol import codec

HELLO_SECONDS = 60.0
"""How long the node may take to answer hello: it may be busy with everybody else's."""
HEARTBEAT_SECONDS = 30.0
"""Interval of pings, which must be answered within the same time: a connection can be dead without notice."""
TURN_OVER_SECONDS = 10.0
"""How long replies are waited for before a connection is given up to resume on another."""
_STOP_CODES = range(4000, 4100)
_TOO_BIG = 1009
_FAULTY = (1002, 1003, 1007)  # something on the way spoils what we send: repeating it could go on forever


@attrs.frozen
class _End:
    """How a connection ended. `wait` False: we ended it ourselves, to make the next one at once."""

    reason: str
    code: int = 1006
    wait: bool = True
    least_wait: float = 0.0


class Link:
    """One client's connection, and the next one. `connected` tells whether commands can go out now."""

    def __init__(
        self,
        address: Address,
        hello: Hello,
        tls: ssl.SSLContext | None,
        calls: Calls,
        feed: Feed,
        changed: Signal,
    ) -> None:
        self._address = address
        self._hello = hello
        self._tls = tls
        self._calls = calls
        self._feed = feed
        self._changed = changed
        self._backoff = Backoff(most=10.0, steady=5.0)
        self._interrupted = False
        self._paused = False
        self._pauses = 0
        self.connected = False
        self.welcome: Welcome | None = None

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Stays connected until cancelled or signed out; reports when it is connected for the first time.

        Until then it raises what went wrong (`Unreachable`, or the node's `Refusal` of the hello). After that
        it raises nothing: calls and feed are given the reason for the end.
        """
        while True:
            try:
                end = await self._one_connection(task_status)
            except SignedOut as refusal:
                if self.welcome is None:
                    raise
                self._stop(refusal)
                return
            if end.code in _STOP_CODES:
                self._stop(SignedOut(end.reason))
                return
            if end.code == _TOO_BIG:
                self._calls.refuse_largest()
            self._calls.connection_lost(end.reason, repeat=end.code not in _FAULTY)
            if end.wait:
                if not self._interrupted:
                    self._interrupted = True
                    self._feed.interrupt(end.reason)
                await trio.sleep(self._backoff.next_wait(end.least_wait))

    def _stop(self, refusal: SignedOut) -> None:
        self._calls.end(refusal)
        self._feed.end(refusal)

    # ---- one connection

    async def _one_connection(self, task_status: trio.TaskStatus[None]) -> _End:
        first = self.welcome is None
        try:
            async with open_socket(self._address, self._tls) as socket:
                await self._say_hello(socket)
                if first:
                    task_status.started()
                return await self._use(socket)
        except ConnectionClosed as closed:
            if first:
                raise Unreachable(f"{self._address.url} breaks the protocol") from None
            return _end_of(closed)
        except Unreachable as error:
            if first:
                raise
            return _End(str(error))
        except Refusal as refusal:
            if refusal.code == "unauthenticated":
                raise SignedOut(refusal.message) from None
            if first:
                raise
            return _End(str(refusal), least_wait=refusal.retry_after or 0.0)

    async def _say_hello(self, socket: WebSocketConnection) -> None:
        hello = attrs.evolve(self._hello, cursor=self._feed.reached)
        try:
            with trio.fail_after(HELLO_SECONDS):
                reply = await ask(socket, "hello", codec.to_plain(hello))
        except trio.TooSlowError:
            raise Unreachable(f"{self._address.url} did not answer hello within {HELLO_SECONDS:g} s") from None
        except ConnectionClosed as closed:
            end = _end_of(closed)
            if end.code in _STOP_CODES:
                raise SignedOut(end.reason) from None
            raise Unreachable(f"{self._address.url} closed the connection: {end.reason}") from None
        welcomed = codec.read(reply, Welcomed)
        self.welcome = welcomed.welcome
        self._calls.may_repeat(welcomed.repeatable)
        self._feed.begin(self.welcome)
        self._backoff.running()
        self._interrupted = False

    async def _use(self, socket: WebSocketConnection) -> _End:
        """Send and receive until the connection ends."""
        self.connected = True
        try:
            return await first_of(
                partial(self._read, socket),
                partial(self._send_calls, socket),
                partial(self._notice_silence, socket),
                self._turn_over,
            )
        finally:
            self.connected = False

    async def _send_calls(self, socket: WebSocketConnection) -> NoReturn:
        with contextlib.suppress(ConnectionClosed):
            while True:
                call = await self._calls.next_to_send()
                await socket.send_message(call.frame)
        await trio.sleep_forever()  # the reading side gets what came before the end, and says why it ended

    async def _read(self, socket: WebSocketConnection) -> _End:
        while True:
            await self._wait_to_read()
            try:
                text = await socket.get_message()
            except ConnectionClosed as closed:
                return _end_of(closed)
            frame = frame_object(text)
            if "id" in frame:
                self._calls.answer(frame)
            else:
                self._feed.take(frame, len(text))

    async def _wait_to_read(self) -> None:
        """While the app is behind and nobody waits for a reply, leave what comes to the kernel and the node."""
        while not (self._feed.has_room or self._calls.awaited):
            self._pauses += 1
            self._paused = True
            await self._changed.wait()
        self._paused = False

    async def _turn_over(self) -> _End:
        """When events were let go and the app is ready for more: get them on another connection."""
        await self._feed.wait_caught_up()
        with trio.move_on_after(TURN_OVER_SECONDS):
            await self._calls.wait_answered()
        return _End("the app has caught up", wait=False)

    async def _notice_silence(self, socket: WebSocketConnection) -> _End:
        """Ends a connection whose other end is gone without a word, as after sleep or a change of network."""
        while True:
            await trio.sleep(HEARTBEAT_SECONDS)
            pauses = self._pauses
            with trio.move_on_after(HEARTBEAT_SECONDS) as patience, contextlib.suppress(ConnectionClosed):
                await socket.ping()
            if patience.cancelled_caught and not self._paused and pauses == self._pauses:
                return _End(f"the node did not answer a ping for {HEARTBEAT_SECONDS:g} s")


def _end_of(closed: ConnectionClosed) -> _End:
    if closed.reason is None:
        return _End("the connection broke")
    return _End(closed.reason.reason or "the connection broke", closed.reason.code)
