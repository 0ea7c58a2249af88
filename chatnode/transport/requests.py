"""The requests of one client socket: what is begun without a task, what waits for one, and who is answered when.

- A wrong request gets an error reply and the connection lives.
- Requests of one session take effect in the order in which they came. Up to `limits.in_flight` are worked on at a
  time; more wait in the kernel's buffer.
- A request that only writes, or reads and nothing is on its way, is begun without a task (`begin`) and answered when
  that is done. What needs a task is put in the backlog, for `work_off`.
- Nothing more is begun once the outbox is closed, because the client can get no reply: the connection broke, or it was
  told to go. What has begun takes effect.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol

import attrs
import trio
from outcome import Outcome, Value

from chatnode.config import Limits
from chatnode.dispatch.caller import Caller
from chatnode.dispatch.core import Core
from chatnode.dispatch.table import BegunRequest, CommandTable
from chatnode.errors import Refusal
from chatnode.model.records import record
from chatnode.protocol.envelopes import RequestFrame, RequestId, ok_reply, parse_request, text_frame
from chatnode.routing.outbox import Outbox
from chatnode.routing.sessions import SessionRegistry
from chatnode.storage.engine.transaction import PlannedRead
from chatnode.transport.failures import failed_reply
from chatnode.transport.turns import BatchTurn, LoneTurn, RequestBatch


class SocketCarrier(Protocol):
    """Reads the bytes of a client socket."""

    def advance(self) -> None:
        """A request that was begun without a task is answered, or something waits for a task."""
        ...

    def failed(self, error: Exception) -> None:
        """End the connection, because of a fault."""
        ...

    def end(self) -> None:
        """Nothing more is read: close when what is queued was sent."""
        ...


class RequestSource(Protocol):
    """The socket that the requests come from."""

    def hello(self, request: RequestFrame) -> Awaitable[None]:
        """Sign in, and send the reply. Raises `Refusal`, also before it is awaited."""
        ...

    def refuse_text(self) -> None:
        """The text of the last request was not UTF-8."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Send a close frame, and end the connection."""
        ...


@record(frozen=True)
class SocketBackend:
    """What the client sockets of a node share. `start` runs a task; `repeatable` are the commands of plugins that a
    client may send again."""

    core: Core
    table: CommandTable
    registry: SessionRegistry
    start: Callable[[Callable[[], Awaitable[object]]], None]
    repeatable: list[str]
    limits: Limits


@record
class Backlog:
    """What waits for a task: replies that their reader must take first, a request that was begun and has no plan, those
    that came after it, and the end. `at_end`: the client sends no more, and gets the replies to what it sent.
    `closing` is the code and reason to close with behind the last reply that is on its way."""

    replies: list[bytes] = attrs.field(factory=list[bytes])
    begun: tuple[RequestId, BegunRequest] | None = None
    texts: list[bytes] = attrs.field(factory=list[bytes])
    at_end: bool = False
    closing: tuple[int, str] | None = None


class SessionRequests:
    """Carries out what a client asks, and answers in `outbox`. `caller` is the requester: nobody until hello."""

    __slots__ = (
        "_backend", "_batch", "_carrier", "_reading", "_source", "_turn", "backlog", "caller", "in_flight", "outbox",
    )  # fmt: skip

    def __init__(
        self, backend: SocketBackend, source: RequestSource, carrier: SocketCarrier, outbox: Outbox, address: str
    ) -> None:
        self._backend = backend
        self._source = source
        self._carrier = carrier
        self._turn = LoneTurn()
        self._batch: RequestBatch | None = None
        """Several requests that a task is carrying out."""
        self._reading = False
        """The one request in flight is a read."""
        self.outbox = outbox
        self.caller = Caller(backend.core, address=address, turn=self._turn, takes_json=True)
        self.in_flight = 0
        """Requests that were begun without a task and are not answered yet: some writes, or one read."""
        self.backlog: Backlog | None = None
        """While there is one, nothing is begun without a task."""

    @property
    def reply_is_coming(self) -> bool:
        """Whether a request in hand waits for its write."""
        return (self.in_flight > 0 and not self._reading) or self._turn.reply_is_coming

    @property
    def full(self) -> bool:
        """Whether no further request may be begun before one is answered."""
        if self._reading or not self.in_flight:
            return self._reading
        most = self._backend.limits.in_flight
        return bool(most) and self.in_flight >= most

    def close_after_reply(self, code: int, reason: str) -> None:
        """Close at once, or, when it may be the session's own request that ends it, right behind the answer; behind
        those of all that were begun, if several came together."""
        if self.reply_is_coming or (self._batch is not None and self._batch.writes):
            self.need_task().closing = (code, reason)
            self._carrier.advance()
        else:
            self._source.close(code, reason)

    def need_task(self) -> Backlog:
        """What the task will find, to be added to."""
        if self.backlog is None:
            self.backlog = Backlog()
        return self.backlog

    def abandon(self) -> None:
        """Carry out nothing of what waits."""
        if self.backlog is not None and self.backlog.begun is not None:
            self.backlog.begun[1].abandon()

    # ---- without a task

    def begin(self, texts: list[bytes]) -> None:
        """Begin what needs no task; the rest is in the backlog."""
        for number, text in enumerate(texts):
            if (
                self.backlog is not None
                or self.full
                or self.outbox.waiting
                or self.outbox.closed
                or not self._begin_at_once(text)
            ):
                backlog = self.need_task()
                backlog.texts = texts[number if backlog.begun is None else number + 1 :]
                return

    def _begin_at_once(self, text: bytes) -> bool:
        """Returns whether the request was answered, or begun without a task; else it may be begun in the backlog."""
        try:
            request = parse_request(text, self._backend.limits.json_depth)
        except Refusal:
            return False
        if request.op == "hello":
            return False
        caller = self.caller
        caller.request = request.id
        try:
            begun = self._backend.table.begin(caller, request.op, request.fields)
        except Exception as error:
            self.send_reply_now(failed_reply(request.id, error))
            return True
        reads = isinstance(begun.step, PlannedRead)
        if not begun.is_planned or (reads and self.in_flight):
            self.need_task().begun = (request.id, begun)
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
            reply = _reply(request_id, result)
            if self.outbox.waiting or (self.backlog is not None and self.backlog.replies):
                # The reader is behind. A reply waits for a task: it never is what makes them too slow.
                self.need_task().replies.append(reply)
                self.outbox.flush()
            else:
                self.send_reply_now(reply)
            self._carrier.advance()
        except Exception as error:
            self._carrier.failed(error)

    # ---- in a task

    async def work_off(self) -> bool:
        """Work on the backlog; returns whether the connection goes on."""
        backlog = self.backlog
        assert backlog is not None
        while backlog.replies:
            await self.send_reply(backlog.replies.pop(0))
        if self.outbox.closed:
            return False
        begun, backlog.begun = backlog.begun, None
        if begun is not None:
            await self.send_reply(await self._finish(*begun))
        await self.answer(backlog.texts)
        self.backlog = None
        return not backlog.at_end

    @staticmethod
    async def _finish(request_id: RequestId, begun: BegunRequest) -> bytes:
        try:
            return ok_reply(request_id, await begun.finish())
        except Exception as error:
            return failed_reply(request_id, error)

    async def answer(self, texts: list[bytes]) -> None:
        """Carry out requests that came together, and answer them in their order."""
        if len(texts) == 1:
            if not self.outbox.closed:
                await self.send_reply(await self.reply_to(texts[0], self.caller))
            return
        most = self._backend.limits.in_flight or len(texts)
        while texts and not self.outbox.closed:
            batch = self._batch = RequestBatch()
            try:
                async with trio.open_nursery() as nursery:
                    for text in texts[:most]:
                        if self.outbox.closed or self._closing is not None:
                            break
                        await nursery.start(self._answer_in_order, text, batch)
            finally:
                self._batch = None
            self._close_if_answered()
            texts = texts[most:]

    async def _answer_in_order(self, text: bytes, batch: RequestBatch, task_status: trio.TaskStatus[None]) -> None:
        """Answer one of several requests. The next one begins when this one's write has its place, or it is done."""
        turn = BatchTurn(batch, task_status)
        reply = await self.reply_to(text, attrs.evolve(self.caller, turn=turn))
        turn.let_next_begin()
        async with batch.sending:
            await self.send_reply(reply)

    async def reply_to(self, text: bytes, caller: Caller) -> bytes | None:
        """Carry a request out; the reply, unless it was sent already or the connection has failed."""
        request_id: RequestId | None = None
        try:
            request = parse_request(text, self._backend.limits.json_depth)
            request_id = caller.request = request.id
            if request.op == "hello":
                await self._source.hello(request)
                return None
            result = await self._backend.table.run(caller, request.op, request.fields)
            return ok_reply(request_id, result)
        except Refusal as refusal:
            if refusal.code == "bad_json" and not _is_utf8(text):
                self._source.refuse_text()
                return None
            return failed_reply(request_id, refusal)
        except Exception as error:
            return failed_reply(request_id, error)

    async def send_reply(self, reply: bytes | None) -> None:
        """Replies wait for a reader that is behind; they never are what makes it too slow."""
        if reply is not None:
            while self.outbox.waiting:
                await self.outbox.wait_empty()
            self.send_reply_now(reply)

    def send_reply_now(self, reply: bytes) -> None:
        self.outbox.send(text_frame(reply))
        if self.backlog is not None:
            self._close_if_answered()

    @property
    def _closing(self) -> tuple[int, str] | None:
        return self.backlog.closing if self.backlog is not None else None

    def _close_if_answered(self) -> None:
        backlog = self.backlog
        if backlog is None or backlog.closing is None or self.in_flight or backlog.replies or self._batch is not None:
            return
        self._source.close(*backlog.closing)


def _reply(request_id: RequestId, result: Outcome[Any]) -> bytes:
    try:
        return ok_reply(request_id, result.value if isinstance(result, Value) else result.unwrap())
    except Exception as error:
        return failed_reply(request_id, error)


def _is_utf8(text: bytes) -> bool:
    with contextlib.suppress(UnicodeDecodeError):
        text.decode()
        return True
    return False
