"""The client socket: requests, replies and pushes as text frames of one WebSocket.

RFC 6455 is left to `websockets`' sans-I/O protocol, which reads from a non-blocking socket here; what is sent
goes straight to the outbox. Rules of this file:

- The first request is `hello`, or one that needs nobody signed in.
- A wrong request gets an error reply and the connection lives; a broken frame closes it, as the RFC says.
- Control frames are answered before the requests they came with; a close frame behind the replies.
- Requests of one session take effect in the order in which they came. When several arrive together they are
  worked on at a time, up to `limits.in_flight`; more wait in the kernel's buffer.
- Close codes 4000-4099 say stop, 1001 and 4100-4199 say resume with your cursor.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from math import inf

import attrs
import trio
from websockets.frames import Close, CloseCode

from chatnode.dispatch.caller import Caller, unauthenticated
from chatnode.dispatch.core import Core
from chatnode.dispatch.table import CommandTable
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
from chatnode.services import COMMANDS
from chatnode.services.sign_in import authenticate
from chatnode.storage.people.sessions import Authenticated
from chatnode.transport.failures import failed_reply
from chatnode.transport.frames import MessageReader
from chatnode.transport.head import Head, refusal_response
from chatnode.transport.listener import Connection
from chatnode.transport.origins import Credentials, set_cookie
from chatnode.transport.turns import BatchTurn, LoneTurn, RequestBatch

logger = get_logger("socket")

STOP_SIGNED_OUT = 4001
STOP_NO_HELLO = 4002
STOP_TOO_MANY_FRAMES = 4003
RESUME_TOO_SLOW = 4100
RESUME_SESSION_ENDED = 4101
WATCH_SECONDS = 1.0
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


class ClientSocket:
    """One client socket from its upgrade to its end."""

    __slots__ = (
        "_connection", "_context", "_core", "_credentials", "_ending", "_frames_before_hello", "_frames_paid_until",
        "_patience", "_reader", "_registry", "_repeatable", "_scope", "_table", "_turn", "heard_at", "outbox", "pinged",
        "session",
    )  # fmt: skip

    def __init__(
        self,
        core: Core,
        table: CommandTable,
        registry: SessionRegistry,
        connection: Connection,
        credentials: Credentials,
        start: Callable[[Callable[[], Awaitable[object]]], None],
        repeatable: list[str],
    ) -> None:
        self._core = core
        self._repeatable = repeatable
        self._table = table
        self._registry = registry
        self._connection = connection
        self._credentials = credentials
        self._turn = LoneTurn()
        self._context = Caller(core, address=credentials.address, turn=self._turn, takes_json=True)
        self._reader = MessageReader(core.config.limits.frame_bytes)
        self._scope = trio.CancelScope()
        self._patience = trio.CancelScope()
        self.heard_at = trio.current_time()
        self._frames_before_hello = 0
        self._frames_paid_until = 0.0
        self.pinged = False
        self._ending: tuple[int, str] | None = None
        self.session: SocketSession | None = None
        wire = StreamWire(connection.tls) if connection.tls is not None else SocketWire(connection.socket)
        self.outbox = Outbox(wire, core.config.limits.outbox_bytes, self._overflow, start)

    @property
    def reply_is_coming(self) -> bool:
        """Whether the one request in hand waits for its write."""
        return self._turn.reply_is_coming

    # ---- from the upgrade to the end

    async def run(self, head: Head) -> None:
        """Upgrade, serve until either side closes, detach."""
        try:
            with self._scope:
                upgraded = self._upgrade(head, await self._slide_cookie())
                del head
                if upgraded:
                    await self._serve()
        finally:
            if self.session is not None:
                self._registry.detach(self.session)
            with trio.move_on_after(DRAIN_SECONDS, shield=True):
                await self.outbox.wait_empty()

    async def _slide_cookie(self) -> str:
        """The field that lets the cookie's time begin again with the session's. The upgrade is the only answer that can
        bring one; of a cookie that is no good, hello says so."""
        credentials = self._credentials
        if credentials.token is None or not credentials.by_cookie:
            return ""
        with contextlib.suppress(Refusal):
            if (await authenticate(self._core, credentials.token)).prolonged:
                return set_cookie(self._core, credentials, credentials.token)
        return ""

    def _upgrade(self, head: Head, cookie: str) -> bool:
        if not self._reader.upgrade(head.raw, cookie):
            self.outbox.send(refusal_response(400, "this is not a WebSocket upgrade"))
            return False
        self.outbox.send(self._reader.closing())
        return self._reader.open

    async def _serve(self) -> None:
        """The loop of a session. Nearly always one request came, which is answered right here: each coroutine between
        a task and trio costs every wake-up of the task."""
        if not await self._begin():
            return
        receive, context = self._connection.receive, self._context
        while data := await receive():
            requests = self._hear(data)
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
        with self._patience:
            self._patience.deadline = trio.current_time() + (self._core.config.limits.hello_seconds or inf)
            while self.session is None:
                data = data or await self._connection.receive()
                if not data:
                    return False
                await self._answer(self._hear(data))
                if not await self._take_rest():
                    return False
                data = b""
        if self._patience.cancelled_caught:
            self.close(STOP_NO_HELLO, "send hello first")
            return False
        return True

    def _hear(self, data: bytes) -> list[bytes]:
        """The requests that bytes which came complete. Control frames are answered at once."""
        self.heard_at = trio.current_time()
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
        limit = self._core.config.limits.frames_per_minute
        if limit:
            self._frames_paid_until = max(self._frames_paid_until, self.heard_at) + frames * 60 / limit
            if self._frames_paid_until > self.heard_at + 60.001:
                self.close(STOP_TOO_MANY_FRAMES, f"more than {limit} control frames and fragments in a minute")

    def _count_before_hello(self, frames: int) -> None:
        self._frames_before_hello += frames
        limit = self._core.config.limits.hello_frames
        if limit and self._frames_before_hello > limit:
            self.close(STOP_TOO_MANY_FRAMES, f"more than {limit} frames before hello")

    async def _take_rest(self) -> bool:
        """Work on what came with control frames and fragments, a part at a time, so that others get their turn between.
        Returns whether the connection goes on."""
        reader = self._reader
        while reader.open and reader.unread:
            await trio.lowlevel.checkpoint()
            await self._answer(self._hear(b""))
        if not reader.open:
            self.outbox.send(reader.closing())
            self.outbox.closed = True
        return reader.open

    # ---- requests

    async def _answer(self, requests: list[bytes]) -> None:
        if len(requests) == 1 or self.session is None:
            for data in requests:
                if self.session is None:
                    self._count_before_hello(1)
                await self._send_reply(await self._reply_to(data, self._context))
            return
        most = self._core.config.limits.in_flight or len(requests)
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
            request = parse_request(data, self._core.config.limits.json_depth)
            request_id = context.request = request.id
            if request.op == "hello":
                await self._hello(request)
                return None
            result = await self._table.run(context, request.op, request.fields)
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
        token = hello.token or self._credentials.token
        if token is None:
            raise unauthenticated()
        found = await authenticate(self._core, token)
        context = Caller(self._core, address=self._credentials.address, turn=self._turn, takes_json=True)
        context.sign_in(found)
        context.check(permissions.CHAT, reads=True)
        session = SocketSession(found, self)
        session.wants_presence = hello.presence
        try:
            async with aclosing(resume.stream(self._core, self._registry, session, hello.cursor)) as parts:
                async for part in parts:
                    if isinstance(part, Welcome):
                        self.session, self._context = session, context
                        self._patience.deadline = inf
                        self.outbox.send(text_frame(ok_reply(request.id, Welcomed(part, self._repeatable))))
                        await self.outbox.wait_empty()
                    else:
                        await self._send_missed(part)
        except BaseException:
            self._registry.detach(session)
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
            self._registry.detach(self.session)
        self._scope.cancel()

    def close_after_reply(self, code: int, reason: str) -> None:
        """Close at once, or, when it is the session's own request that ends it, right behind the answer."""
        if self.reply_is_coming:
            self._ending = (code, reason)
        else:
            self.close(code, reason)

    def _overflow(self) -> None:
        self._core.metrics.overflows += 1
        cursor = self.session.gid if self.session is not None else 0
        self.close(RESUME_TOO_SLOW, f"too slow; resume from your cursor, at most {cursor}", now=True)

    def check_alive(self, now: float, idle_seconds: float) -> None:
        """Ping a client that was silent for `idle_seconds`; end it when it stays silent for as long again."""
        silent = now - self.heard_at
        if silent > 2 * idle_seconds:
            self._scope.cancel()
        elif silent > idle_seconds and not self.pinged:
            self.pinged = True
            self.outbox.send(_PING)


class ClientSockets:
    """All client sockets: makes them, watches that they live, stops them."""

    def __init__(self, core: Core, table: CommandTable, registry: SessionRegistry, nursery: trio.Nursery) -> None:
        self._core = core
        self._table = table
        self._registry = registry
        self._nursery = nursery
        self._sockets: set[ClientSocket] = set()
        ours = {each.name for each in COMMANDS}
        self._repeatable = sorted(each.name for each in table if each.repeatable and each.name not in ours)

    async def serve(self, connection: Connection, head: Head) -> bool:
        """A handler of the listener: the connection is the socket's to its end."""
        credentials = Credentials.of_upgrade(head, connection, self._core)
        socket = ClientSocket(
            self._core,
            self._table,
            self._registry,
            connection,
            credentials,
            self._nursery.start_soon,
            self._repeatable,
        )
        self._sockets.add(socket)
        running = socket.run(head)
        del head  # not kept for as long as the socket lives
        try:
            await running
        finally:
            self._sockets.discard(socket)
        return False

    async def watch(self) -> None:
        """Run forever: ping silent clients, and close dead connections and those whose token has expired."""
        idle = self._core.config.limits.idle_seconds or inf
        while True:
            await trio.sleep(min(idle / 5, WATCH_SECONDS))
            now = trio.current_time()
            for socket in list(self._sockets):
                socket.check_alive(now, idle)
                if socket.session is not None and socket.session.expired:
                    socket.close(STOP_SIGNED_OUT, "the token has expired")

    def close(self) -> None:
        """Tell every client to resume later."""
        for socket in list(self._sockets):
            socket.close(CloseCode.GOING_AWAY, "the node is stopping; resume")

    async def wait_drained(self) -> None:
        """Until each client has taken what was queued for it."""
        for socket in list(self._sockets):
            await socket.outbox.wait_empty()


def _is_utf8(text: bytes) -> bool:
    with contextlib.suppress(UnicodeDecodeError):
        text.decode()
        return True
    return False
