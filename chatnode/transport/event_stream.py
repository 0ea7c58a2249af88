"""Server-sent events: the pushes of a session over plain HTTP, for readers that only listen.

Each event's `id` is `<epoch>.<gid>`, so that `Last-Event-ID` resumes exactly as a socket's cursor does.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing

import trio
from quart import Response

from chatnode.concurrency import Signal
from chatnode.dispatch.caller import Caller
from chatnode.dispatch.core import Core
from chatnode.errors import Refusal
from chatnode.model.commands.resume import Cursor, Welcome
from chatnode.model.people import Account
from chatnode.protocol import codec
from chatnode.protocol.envelopes import Push
from chatnode.routing import resume
from chatnode.routing.sessions import OpenSession, SessionRegistry

EVENT_STREAM = "text/event-stream"
COMMENT_SECONDS = 20.0
"""Interval of comments that keep proxies from closing a quiet stream."""
RETRY_MS = 2_000
PART_BYTES = 16_384
_HEADERS = {"X-Accel-Buffering": "no", "Cache-Control": "no-store, no-transform"}
"""Proxies and middleware are not to collect it, nor to compress it."""


class StreamSession(OpenSession):
    """A reader of an event stream. What it has not taken yet is bounded in bytes, as an outbox is."""

    __slots__ = ("_changed", "_cut", "_ended", "_most_bytes", "_pending", "_pending_bytes", "_prefix")

    transport = "stream"

    def __init__(
        self, account: Account, key: int, ends_at: int | None, epoch: str, most_bytes: int, cut: Callable[[], None]
    ) -> None:
        """`cut` ends the session and its connection, whatever it is waiting for."""
        super().__init__(account, key, ends_at)
        self._cut = cut
        self._prefix = f"id: {epoch}.".encode()
        self._most_bytes = most_bytes
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._changed = Signal()
        self._ended = False

    @property
    def ended(self) -> bool:
        return self._ended or self.expired

    @property
    def behind(self) -> bool:
        return self._pending_bytes > PART_BYTES

    @property
    def queued_bytes(self) -> int:
        return self._pending_bytes

    def chunk(self, push: Push) -> bytes:
        """A push as one event of the stream."""
        place = self._prefix + b"%d\n" % push.gid if push.gid is not None else b""
        return b"%bevent: %b\ndata: %b\n\n" % (place, push.event.encode(), push.json)

    def welcome(self, welcome: Welcome) -> bytes:
        """The first event."""
        place = self._prefix + b"%d\n" % self.gid if welcome.mode == "reset" else b""
        return b"retry: %d\n%bevent: welcome\ndata: %b\n\n" % (RETRY_MS, place, codec.encode(welcome))

    def send(self, push: Push) -> None:
        chunk = self.chunk(push)
        self._pending.append(chunk)
        self._pending_bytes += len(chunk)
        if self._most_bytes and self._pending_bytes > self._most_bytes:
            self._ended = True
            self._cut()  # it is in the middle of a send that the reader does not take

    def flush(self) -> None:
        self._changed.notify()

    def end(self, *, resume: bool, reason: str) -> None:
        self._ended = True
        self._changed.notify()

    async def chunks(self) -> AsyncGenerator[bytes]:
        """What was sent, as it comes; ends when the session is ended, or its token expires."""
        while not self.expired:
            with trio.move_on_after(min(COMMENT_SECONDS, self.seconds_left)):
                while not (self._pending or self._ended):
                    await self._changed.wait()
            pending, self._pending, self._pending_bytes = self._pending, [], 0
            for part in _parts(pending) if pending else (b": still here\n\n",):
                if self.expired:
                    return
                yield part
            if self._ended:
                return


async def event_stream(
    core: Core,
    registry: SessionRegistry,
    context: Caller,
    cursor_text: str | None,
    close_connection: Callable[[], None],
    *,
    presence: bool = True,
) -> Response:
    """The response that streams, from the cursor on. It begins with a `welcome` event, as the socket does."""
    cursor = _cursor(cursor_text)

    def cut() -> None:
        registry.detach(session)
        close_connection()

    most_bytes = core.config.limits.outbox_bytes
    session = StreamSession(context.me, context.session or 0, context.ends_at, core.epoch, most_bytes, cut)

    session.wants_presence = presence

    async def body() -> AsyncGenerator[bytes]:
        try:
            async with aclosing(resume.stream(core, registry, session, cursor)) as begins:
                async for each in begins:
                    is_welcome = isinstance(each, Welcome)
                    for part in _parts([session.welcome(each)] if is_welcome else list(map(session.chunk, each))):
                        if session.ended:
                            return
                        yield part
                    if session.ended:
                        return
            async with aclosing(session.chunks()) as chunks:
                async for chunk in chunks:
                    yield chunk
        except Refusal:
            pass  # signed out in this very moment: asked again, the answer is 401
        finally:
            registry.detach(session)

    response = Response(body(), content_type=EVENT_STREAM, headers=_HEADERS)
    response.timeout = None
    return response


def _parts(chunks: list[bytes]) -> Iterator[bytes]:
    """Events together in parts of a size that is soon taken: a reader who is cut off has all but the last."""
    part: list[bytes] = []
    size = 0
    for chunk in chunks:
        if part and size + len(chunk) > PART_BYTES:
            yield b"".join(part)
            part, size = [], 0
        part.append(chunk)
        size += len(chunk)
    yield b"".join(part)


def _cursor(text: str | None) -> Cursor | None:
    if text is None:
        return None
    match = re.fullmatch(r"([0-9a-f]{32})\.(\d{1,15})", text)
    if match is None:
        raise Refusal("invalid", "the cursor is <epoch>.<gid>, as in an event's id", path="cursor")
    return Cursor(match[1], int(match[2]))
