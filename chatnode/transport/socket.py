"""The client socket: requests, replies and pushes as text frames of one WebSocket.

RFC 6455 is left to `websockets`' sans-I/O protocol (`frames.py`); what is sent
goes straight to the outbox. Who reads the bytes, and in which task, is the carrier's concern. Rules of this file:

- The first request is `hello`, or one that needs nobody signed in.
- A wrong request gets an error reply and the connection lives; a broken frame closes it, as the RFC says.
- Control frames are answered before the requests they came with; a close frame behind the replies.
- Requests of one session take effect in the order in which they came. Up to `limits.in_flight` are worked on at a
  time; more wait in the kernel's buffer.
- A request that only writes, or reads and nothing is on its way, is begun without a task (`receive`) and answered when
  that is done. What needs a task is put in the backlog, for `work_off`.
- Close codes 4000-4099 say stop, 1001 and 4100-4199 say resume with your cursor.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from math import inf
from typing import Any, Protocol

import attrs
import trio
from outcome import Outcome
from websockets.frames import Close

from chatnode.dispatch.caller import Caller, unauthenticated
from chatnode.dispatch.core import Core
from chatnode.dispatch.table import BegunRequest, CommandTable
from chatnode.errors import Refusal
from chatnode.logs import get_logger
from chatnode.model import permissions
from chatnode.model.commands.resume import Hello, Welcome, Welcomed
from chatnode.protocol import codec
from chatnode.protocol.envelopes import (
    Push,
    RequestFrame,
    RequestId,
    ok_reply,
    parse_request,
    text_frame,
)
from chatnode.routing import resume
from chatnode.routing.outbox import DRAIN_SECONDS, Outbox, SocketWire, StreamWire
from chatnode.routing.sessions import OpenSession, SessionRegistry
from chatnode.services.sign_in import authenticate
from chatnode.storage.engine.transaction import PlannedRead
from chatnode.storage.people.sessions import Authenticated
from chatnode.transport.connection import Connection
from chatnode.transport.failures import failed_reply
from chatnode.transport.frames import MessageReader
from chatnode.transport.head import Head, refusal_response
from chatnode.transport.origins import Credentials, set_cookie
from chatnode.transport.turns import BatchTurn, LoneTurn, RequestBatch

logger = get_logger("socket")

STOP_SIGNED_OUT = 4001
STOP_NO_HELLO = 4002
STOP_TOO_MANY_FRAMES = 4003
RESUME_TOO_SLOW = 4100
RESUME_SESSION_ENDED = 4101
PUSHES_A_SEND = 50
"""While catching up."""
_PING = b"\x89\x00"


class SocketSession(OpenSession):
    """A signed-in client socket, as the router sees it."""

    __slots__ = ("_socket",)

    def __init__(self, found: Authenticated, socket: ClientSocket) -> None:
        super().__init__(found.account, found.session, found.ends_at)
        self._socket = socket

    @property
    def behind(self) -> bool:
        return self._socket.outbox.waiting

    def send(self, push: Push) -> None:
        self._socket.outbox.add(push.websocket)

    def flush(self) -> None:
        # A session that waits for its own write is answered in a moment: its pushes leave with the answer.
        if not self._socket.reply_is_coming:
            self._socket.outbox.flush()

    @property
    def queued_bytes(self) -> int:
        return self._socket.outbox.queued_bytes

    def end(self, *, resume: bool, reason: str) -> None:
        self._socket.close_after_reply(RESUME_SESSION_ENDED if resume else STOP_SIGNED_OUT, reason)


class SocketCarrier(Protocol):
    """Reads the bytes of a client socket."""

    def advance(self) -> None:
        """A request that was begun without a task is answered: there is room for another, or for a task."""
        ...

    def failed(self, error: Exception) -> None:
        """End the connection, because of a fault."""
        ...

    def end(self) -> None:
        """Nothing more is read: close when what is queued was sent."""
        ...


@attrs.frozen
class SocketBackend:
    """What the client sockets of a node share. `start` runs a task; `repeatable` are the commands of plugins that a
    client may send again."""

    core: Core
    table: CommandTable
    registry: SessionRegistry
    start: Callable[[Callable[[], Awaitable[object]]], None]
    repeatable: list[str]


@attrs.define
class Backlog:
    """What waits for a task: replies that their reader must take first, a request that was begun and has no plan, those
    that came after it, the end."""

    replies: list[bytes] = attrs.field(factory=list[bytes])
    begun: tuple[RequestId, BegunRequest] | None = None
    texts: list[bytes] = attrs.field(factory=list[bytes])
    at_end: bool = False


class ClientSocket:
    """One client socket from its upgrade to its end."""

    __slots__ = (
        "_backend", "_carrier", "_connection", "_context", "_credentials", "_ending", "_frames_before_hello",
        "_frames_paid_until", "_patience", "_reader", "_reading", "_turn", "backlog", "heard_at", "in_flight", "outbox",
        "pinged", "session",
    )  # fmt: skip

    def __init__(
        self, backend: SocketBackend, credentials: Credentials, connection: Connection, carrier: SocketCarrier
    ) -> None:
        core = backend.core
        self._backend = backend
        self._carrier = carrier
        self._connection = connection
        self._credentials: Credentials | None = credentials
        """Until hello."""
        self._turn = LoneTurn()
        self._context = Caller(core, address=credentials.address, turn=self._turn, takes_json=True)
        self._reader = MessageReader(core.config.limits.frame_bytes)
        self._patience: trio.CancelScope | None = None
        self._frames_before_hello = 0
        self._frames_paid_until = 0.0
        self._reading = False
        self._ending: tuple[int, str] | None = None
        self.heard_at = trio.current_time()
        self.pinged = False
        self.in_flight = 0
        """Requests that were begun without a task and are not answered yet."""
        self.backlog: Backlog | None = None
        self.session: SocketSession | None = None
        wire = StreamWire(connection.tls) if connection.tls is not None else SocketWire(connection.socket)
        self.outbox = Outbox(wire, core.config.limits.outbox_bytes, self._overflow, backend.start)

    @property
    def reply_is_coming(self) -> bool:
        """Whether a request in hand waits for its write."""
        return (self.in_flight > 0 and not self._reading) or self._turn.reply_is_coming

    @property
    def full(self) -> bool:
        """Whether no further request may be begun before one is answered."""
        if self._reading or self._ending is not None:
            return True
        most = self._backend.core.config.limits.in_flight
        return bool(most) and self.in_flight >= most

    # ---- from the upgrade to the end

    async def open(self, head: Head) -> bool:
        """Upgrade, and serve requests until hello; returns whether the connection goes on."""
        opened = self._upgrade(head, await self._slide_cookie())
        del head
        return opened and await self._begin()

    async def drain(self) -> None:
        """Detach; returns when what is queued was sent, or after some seconds."""
        if self.session is not None:
            self._backend.registry.detach(self.session)
        if self.backlog is not None and self.backlog.begun is not None:
            self.backlog.begun[1].abandon()
        with trio.move_on_after(DRAIN_SECONDS, shield=True):
            await self.outbox.wait_empty()

    async def _slide_cookie(self) -> str:
        """The field that lets the cookie's time begin again with the session's. The upgrade is the only answer that can
        bring one; of a cookie that is no good, hello says so."""
        core, credentials = self._backend.core, self._credentials
        if credentials is None or credentials.token is None or not credentials.by_cookie:
            return ""
        with contextlib.suppress(Refusal):
            if (await authenticate(core, credentials.token)).prolonged:
                return set_cookie(core, credentials, credentials.token)
        return ""

    def _upgrade(self, head: Head, cookie: str) -> bool:
        if not self._reader.upgrade(head.raw, cookie):
            self.outbox.send(refusal_response(400, "this is not a WebSocket upgrade"))
            return False
        self.outbox.send(self._reader.closing())
        return self._reader.open

    async def serve(self) -> None:
        """The loop of a session that keeps its task. Nearly always one request came, which is answered right here: each
        coroutine between a task and trio costs every wake-up of the task."""
        receive, context = self._connection.receive, self._context
        while data := await receive():
            requests = self._hear(data, trio.current_time())
            if len(requests) == 1:
                reply = await self._reply_to(requests[0], context)
                if reply is not None and not self.outbox.waiting:
                    self._send_reply_now(reply)
                else:
                    await self._send_reply(reply)
            elif requests:
                await self._answer(requests)
            if not self._reader.untouched and not await self._take_rest():
                return

    async def _begin(self) -> bool:
        """Serve requests until hello; returns whether the connection continues."""
        data, self._connection.buffered = self._connection.buffered, b""
        seconds = self._backend.core.config.limits.hello_seconds or inf
        with trio.CancelScope(deadline=trio.current_time() + seconds) as self._patience:
            while self.session is None:
                data = data or await self._connection.receive()
                if not data:
                    return False
                await self._answer(self._hear(data, trio.current_time()))
                if not await self._take_rest():
                    return False
                data = b""
        patience, self._patience, self._credentials = self._patience, None, None
        if patience.cancelled_caught:
            self.close(STOP_NO_HELLO, "send hello first")
            return False
        return True

    def _hear(self, data: bytes, now: float) -> list[bytes]:
        """The requests that bytes which came complete. Control frames are answered at once."""
        self.heard_at = now
        self.pinged = False
        reader = self._reader
        frames = reader.frames
        requests = reader.feed(data)
        if not reader.untouched:
            if control := reader.control():
                self.outbox.send(control)
            self._charge(reader.frames - frames)
        return requests

    def _charge(self, frames: int) -> None:
        """Count control frames and fragments: each costs as much as a request does, and no other limit sees it."""
        if self.session is None:
            self._count_before_hello(frames)
        limit = self._backend.core.config.limits.frames_per_minute
        if limit:
            self._frames_paid_until = max(self._frames_paid_until, self.heard_at) + frames * 60 / limit
            if self._frames_paid_until > self.heard_at + 60.001:
                self.close(STOP_TOO_MANY_FRAMES, f"more than {limit} control frames and fragments in a minute")

    def _count_before_hello(self, frames: int) -> None:
        self._frames_before_hello += frames
        limit = self._backend.core.config.limits.hello_frames
        if limit and self._frames_before_hello > limit:
            self.close(STOP_TOO_MANY_FRAMES, f"more than {limit} frames before hello")

    async def _take_rest(self) -> bool:
        """Work on what came with control frames and fragments, a part at a time, so that others get their turn between.
        Returns whether the connection goes on."""
        reader = self._reader
        while reader.open and reader.unread:
            await trio.lowlevel.checkpoint()
            await self._answer(self._hear(b"", trio.current_time()))
        if not reader.open:
            self.outbox.send(reader.closing())
            self.outbox.closed = True
        return reader.open

    # ---- requests without a task

    def receive(self, data: bytes, now: float) -> None:
        """Begin what came and needs no task; the rest is in the backlog. Empty `data` is the end."""
        if not data:
            self._need_task().at_end = True
            return
        requests = self._hear(data, now)
        for number, text in enumerate(requests):
            if self.full or self.outbox.waiting or self.outbox.closed or not self._begin_at_once(text):
                backlog = self._need_task()
                backlog.texts = requests[number if backlog.begun is None else number + 1 :]
                break
        if not self._reader.untouched and (self._reader.unread or not self._reader.open):
            self._need_task()

    def _need_task(self) -> Backlog:
        if self.backlog is None:
            self.backlog = Backlog()
        return self.backlog

    def _begin_at_once(self, text: bytes) -> bool:
        """Returns whether the request was answered, or begun without a task; else it may be begun in the backlog."""
        try:
            request = parse_request(text, self._backend.core.config.limits.json_depth)
        except Refusal:
            return False
        if request.op == "hello":
            return False
        context = self._context
        context.request = request.id
        try:
            begun = self._backend.table.begin(context, request.op, request.fields)
        except Exception as error:
            self._send_reply_now(failed_reply(request.id, error))
            return True
        reads = isinstance(begun.step, PlannedRead)
        if not begun.is_planned or (reads and self.in_flight):
            self._need_task().begun = (request.id, begun)
            return False
        self.in_flight += 1
        self._reading = reads
        begun.submit(partial(self._answer_begun, request.id))
        return True

    def _answer_begun(self, request_id: RequestId, result: Outcome[Any]) -> None:
        """Its result is there. The barrier: a fault in here ends this connection and nothing else."""
        self.in_flight -= 1
        self._reading = False
        try:
            self._send_in_turn(_reply(request_id, result))
            if self._ending is not None and not self.in_flight and self.backlog is None:
                self.close(*self._ending)
            self._carrier.advance()
        except Exception as error:
            self._carrier.failed(error)

    def _send_in_turn(self, reply: bytes) -> None:
        """A reply whose reader is behind waits for them in the backlog: it never is what makes them too slow."""
        if self.outbox.waiting or (self.backlog is not None and self.backlog.replies):
            self._need_task().replies.append(reply)
            self.outbox.flush()
        else:
            self.outbox.send(text_frame(reply))

    # ---- requests in a task

    async def work_off(self) -> bool:
        """Work on the backlog; returns whether the connection goes on."""
        backlog = self.backlog
        assert backlog is not None
        for reply in backlog.replies:
            while self.outbox.waiting:
                await self.outbox.wait_empty()
            self.outbox.send(text_frame(reply))
        if self._ending is not None:
            self.close(*self._ending)
            return False
        begun, backlog.begun = backlog.begun, None
        if begun is not None:
            await self._send_reply(await self._finish(*begun))
        if backlog.texts:
            await self._answer(backlog.texts)
        self.backlog = None
        if backlog.at_end:
            return False
        return self._reader.untouched or await self._take_rest()

    @staticmethod
    async def _finish(request_id: RequestId, begun: BegunRequest) -> bytes:
        try:
            return ok_reply(request_id, await begun.finish())
        except Exception as error:
            return failed_reply(request_id, error)

    async def _answer(self, requests: list[bytes]) -> None:
        if len(requests) == 1 or self.session is None:
            for data in requests:
                if self.session is None:
                    self._count_before_hello(1)
                await self._send_reply(await self._reply_to(data, self._context))
            return
        most = self._backend.core.config.limits.in_flight or len(requests)
        for start in range(0, len(requests), most):
            batch = RequestBatch()
            async with trio.open_nursery() as nursery:
                for data in requests[start : start + most]:
                    await nursery.start(self._answer_in_order, data, batch)

    async def _answer_in_order(self, data: bytes, batch: RequestBatch, task_status: trio.TaskStatus[None]) -> None:
        """Answer one of several requests. The next one begins when this one's write has its place, or it is done."""
        turn = BatchTurn(batch, task_status)
        context = attrs.evolve(self._context, turn=turn)
        reply = await self._reply_to(data, context)
        turn.let_next_begin()
        async with batch.sending:
            await self._send_reply(reply)

    async def _reply_to(self, data: bytes, context: Caller) -> bytes | None:
        """Carry a request out; the reply, unless it was sent already or the connection has failed."""
        request_id: RequestId | None = None
        try:
            request = parse_request(data, self._backend.core.config.limits.json_depth)
            request_id = context.request = request.id
            if request.op == "hello":
                await self._hello(request)
                return None
            result = await self._backend.table.run(context, request.op, request.fields)
            return ok_reply(request_id, result)
        except Refusal as refusal:
            if refusal.code == "bad_json" and not _is_utf8(data):
                self._reader.refuse_text()
                return None
            return failed_reply(request_id, refusal)
        except Exception as error:
            return failed_reply(request_id, error)

    async def _send_reply(self, reply: bytes | None) -> None:
        """Replies wait for a reader that is behind; they never are what makes it too slow."""
        if reply is not None:
            while self.outbox.waiting:
                await self.outbox.wait_empty()
            self._send_reply_now(reply)

    def _send_reply_now(self, reply: bytes) -> None:
        self.outbox.send(text_frame(reply))
        if self._ending is not None:
            self.close(*self._ending)

    async def _hello(self, request: RequestFrame) -> None:
        hello = codec.structure(request.fields, Hello)
        if self.session is not None:
            raise Refusal("bad_request", "you have already sent hello", path="op")
        core, credentials, patience = self._backend.core, self._credentials, self._patience
        assert credentials is not None
        assert patience is not None
        token = hello.token or credentials.token
        if token is None:
            raise unauthenticated()
        found = await authenticate(core, token)
        context = Caller(core, address=credentials.address, turn=self._turn, takes_json=True)
        context.sign_in(found)
        context.check(permissions.CHAT, reads=True)
        session = SocketSession(found, self)
        session.wants_presence = hello.presence
        try:
            async with aclosing(resume.stream(core, self._backend.registry, session, hello.cursor)) as parts:
                async for part in parts:
                    if isinstance(part, Welcome):
                        self.session, self._context = session, context
                        patience.deadline = inf
                        self.outbox.send(text_frame(ok_reply(request.id, Welcomed(part, self._backend.repeatable))))
                        await self.outbox.wait_empty()
                    else:
                        await self._send_missed(part)
        except BaseException:
            self._backend.registry.detach(session)
            raise

    async def _send_missed(self, page: list[Push]) -> None:
        for start in range(0, len(page), PUSHES_A_SEND):
            self.outbox.send(b"".join([push.websocket for push in page[start : start + PUSHES_A_SEND]]))
            if self.outbox.waiting:
                await self.outbox.wait_empty()

    # ---- ending

    def close(self, code: int, reason: str, *, now: bool = False) -> None:
        """Send a close frame, take and send nothing more."""
        payload = Close(code, reason[:100]).serialize()
        self.outbox.close_with(bytes((0x88, len(payload))) + payload, now=now)
        if self.session is not None:
            self._backend.registry.detach(self.session)
        self._carrier.end()

    def close_after_reply(self, code: int, reason: str) -> None:
        """Close at once, or, when it is the session's own request that ends it, right behind the answer."""
        if self.reply_is_coming:
            self._ending = (code, reason)
        else:
            self.close(code, reason)

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


def _reply(request_id: RequestId, result: Outcome[Any]) -> bytes:
    try:
        return ok_reply(request_id, result.unwrap())
    except Exception as error:
        return failed_reply(request_id, error)


def _is_utf8(text: bytes) -> bool:
    with contextlib.suppress(UnicodeDecodeError):
        text.decode()
        return True
    return False
