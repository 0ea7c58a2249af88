"""Requests under way: in order, at most once unless they may be repeated.

A request that was sent when the connection was lost is sent again if repeating it changes nothing; otherwise
its outcome is unknown and its caller is told so. One that was not sent yet waits for the next connection.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any

import attrs
import trio

from chatnode.client.errors import refusal_of
from chatnode.concurrency import Signal
from chatnode.errors import ConnectionLost, Refusal
from chatnode.protocol import codec

REPEATABLE = frozenset({
    "audit.list", "certificate.status",
    "conversations.context", "conversations.get", "conversations.members.list", "conversations.public",
    "inbox.list", "invites.list", "items.query", "jobs.list", "messages.get", "messages.history", "messages.list",
    "messages.pinned", "messages.thread", "node.address", "node.check", "node.info", "node.statistics",
    "people.blocked", "people.export", "people.get", "people.list", "people.me", "people.sessions", "plugins.consumers",
    "plugins.export", "plugins.list", "plugins.set_aside", "presence.get", "presence.history", "receipts.list",
    "reports.list", "retention.list", "roles.list", "search.messages", "sessions.list", "typing.list",
    "bots.list", "slash.list", "work.get", "work.list",
    # what does the same once or twice
    "actions.invoke", "bots.commands.set", "conversations.direct", "conversations.find_or_create", "messages.post",
    "presence.status", "presence.visible", "receipts.delivered", "receipts.read", "slash.run", "typing",
})  # fmt: skip
"""Commands of the node that may be sent twice. Written out, as a client carries nothing of the node's around; a test
compares. Those of plugins are in the node's answer to hello."""


@attrs.define(eq=False)
class PendingCall:
    """One request and, once `done` is set, its reply."""

    id: int
    frame: str
    repeatable: bool
    sent: bool = False
    done: trio.Event = attrs.field(factory=trio.Event)
    reply: dict[str, Any] | None = None
    error: Exception | None = None

    def fail(self, error: Exception) -> None:
        self.error = error
        self.done.set()


class Calls:
    """All requests of a client. Everything but `ask` and the waits is sync and never checkpoints.

    `changed` is given whenever a request is added or done with.
    """

    def __init__(self, changed: Signal) -> None:
        self._count = 0
        self._pending: dict[int, PendingCall] = {}  # in the order of their ids, which is the order of asking
        self._unsent: deque[PendingCall] = deque()
        self._changed = changed
        self._ended: Exception | None = None
        self._held = False
        self._repeatable = REPEATABLE

    @property
    def awaited(self) -> bool:
        """Whether a task waits for a reply."""
        return bool(self._pending)

    def may_repeat(self, commands: Iterable[str]) -> None:
        """Besides those of every node, these commands may be sent twice on this one."""
        self._repeatable = REPEATABLE.union(commands)

    async def ask(self, command: str, fields: dict[str, Any]) -> dict[str, Any]:
        """Send a request and wait for its reply. Cancelling forgets the request; if it was sent, it may be
        carried out all the same."""
        if self._ended is not None:
            raise self._ended.with_traceback(None)  # else it grows with each time that it is raised
        self._count += 1
        frame = codec.encode({**fields, "id": self._count, "op": command}).decode()
        call = PendingCall(self._count, frame, command in self._repeatable)
        with self._under_way(call):
            await call.done.wait()
        if call.error is not None:
            raise call.error
        assert call.reply is not None
        if "ok" in call.reply:
            return call.reply["ok"]
        raise refusal_of(call.reply.get("error"))

    @contextmanager
    def _under_way(self, call: PendingCall) -> Generator[None]:
        self._pending[call.id] = call
        self._unsent.append(call)
        self._changed.notify()
        try:
            yield
        finally:
            self._pending.pop(call.id, None)
            self._changed.notify()

    async def next_to_send(self) -> PendingCall:
        """Wait for a request to send; it counts as sent from here on."""
        while True:
            while self._unsent and not self._held:
                call = self._unsent.popleft()
                if call.id in self._pending:  # else its caller was cancelled
                    call.sent = True
                    return call
            await self._changed.wait()

    async def wait_answered(self) -> None:
        """Send nothing more on this connection; returns when everything that was sent is answered."""
        self._held = True
        while any(call.sent for call in self._pending.values()):
            await self._changed.wait()

    def answer(self, reply: dict[str, Any]) -> None:
        """A reply came. One that nobody waits for any more is dropped."""
        call = self._pending.pop(reply["id"], None) if isinstance(reply["id"], int) else None
        if call is not None:
            call.reply = reply
            call.done.set()
            self._changed.notify()

    def refuse_largest(self) -> None:
        """The node closed the connection over a frame that was too big: that was the largest one."""
        sent = [call for call in self._pending.values() if call.sent]
        if sent:
            call = max(sent, key=lambda call: len(call.frame))
            del self._pending[call.id]
            call.fail(Refusal("too_large", "the request is larger than the node accepts"))

    def connection_lost(self, reason: str, *, repeat: bool = True) -> None:
        """Sort what is pending into what is sent again and what is not."""
        for call in list(self._pending.values()):
            if call.sent and not (repeat and call.repeatable):
                del self._pending[call.id]
                call.fail(ConnectionLost(f"the outcome is unknown: {reason}"))
            call.sent = False
        self._unsent = deque(self._pending.values())
        self._held = False
        self._changed.notify()

    def end(self, error: Exception) -> None:
        """Fail everything pending, and whatever is asked from now on."""
        self._ended = error
        for call in self._pending.values():
            call.fail(error)
        self._pending.clear()
        self._unsent.clear()
        self._changed.notify()
