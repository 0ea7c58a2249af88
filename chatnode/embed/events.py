"""A user's events in the process: a session as that of a client, without a token and without JSON.

The node's log is the queue. A program that is behind by `limits.outbox_bytes` gets nothing more pushed; once it has
taken what there is, it reads on in the log, in pages, until it has caught up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from functools import partial
from typing import Any

import attrs
import trio

from chatnode.client.feed import Live, Pushed, Reset, pushed
from chatnode.concurrency import OneReader, Signal
from chatnode.dispatch.caller import Caller
from chatnode.dispatch.core import Core
from chatnode.embed.closing import ClosingIterator
from chatnode.embed.kinds import checked_cursor, kinds_pushed, words
from chatnode.errors import Refusal
from chatnode.model import permissions
from chatnode.model.commands.messages import InboxPage
from chatnode.model.commands.resume import Cursor
from chatnode.model.ephemeral import EPHEMERAL
from chatnode.model.events import Event, PersonUpdated
from chatnode.model.people import Account
from chatnode.protocol import codec
from chatnode.protocol.envelopes import Push
from chatnode.routing.sessions import OpenSession, SessionRegistry
from chatnode.storage.engine.connection import Reader
from chatnode.storage.log import following, log
from chatnode.storage.messages import inbox
from chatnode.storage.people import people

PAGE_EVENTS = 200
"""Events read from the log at a time."""
TURN_ITEMS = 50
"""Items after which other tasks get a turn."""
_PUSH_BYTES = 256  # what a push costs beside its frame

LocalItem = Pushed | Reset | Live


@attrs.frozen
class WantedEvents:
    """Which events to tell of; None: all."""

    kinds: frozenset[str] | None
    conversations: frozenset[str] | None

    def has(self, push: Push) -> bool:
        if self.kinds is not None and push.event not in self.kinds:
            return False
        if self.conversations is None:
            return True
        if push.source is not None:
            return self.concerns(push.source)
        return codec.decode(push.json).get("conversation") in self.conversations

    def concerns(self, event: Event) -> bool:
        """Whether it belongs to one of the conversations."""
        return self.conversations is None or getattr(event, "conversation", None) in self.conversations


class LocalSession(OpenSession):
    """The session of a reader in the process. Everything up to `reached` was handed to it, or is queued.

    `behind_log`: what came after that is only in the log. `cut`: it gets no more pushes, and begins again. `over`: the
    account was deactivated, and nothing follows what is queued.
    """

    __slots__ = ("_bytes", "_most_bytes", "_queue", "_wanted", "behind_log", "changed", "cut", "over", "reached")

    transport = "program"

    def __init__(self, account: Account, wanted: WantedEvents, most_bytes: int) -> None:
        super().__init__(account, 0)
        self.wants_presence = wanted.kinds is None or not wanted.kinds.isdisjoint(EPHEMERAL)
        self.reached = 0
        self.behind_log = False
        self.cut = False
        self.over = False
        self.changed = Signal()
        self._wanted = wanted
        self._most_bytes = most_bytes
        self._queue: deque[Push] = deque()
        self._bytes = 0

    @property
    def behind(self) -> bool:
        return self.behind_log or self._bytes * 2 > self._most_bytes > 0

    @property
    def queued_bytes(self) -> int:
        return self._bytes

    def send(self, push: Push) -> None:
        if self.over or self.behind_log:
            return
        if 0 < self._most_bytes < self._bytes:
            self.behind_log = push.gid is not None
            return
        if push.gid is not None:
            self.reached = push.gid
        if self._wanted.has(push):
            self._queue.append(push)
            self._bytes += len(push.json) + _PUSH_BYTES
        if isinstance(push.source, PersonUpdated) and push.source.person.id == self.account.id:
            self.over = bool(push.source.person.deactivated)

    def flush(self) -> None:
        self.changed.notify()

    def end(self, *, resume: bool, reason: str) -> None:
        self.cut = True
        self.over = self.over or not resume
        self.changed.notify()

    def take(self) -> Push | None:
        """The next push that is queued."""
        if not self._queue:
            return None
        push = self._queue.popleft()
        self._bytes -= len(push.json) + _PUSH_BYTES
        return push


@attrs.frozen
class _Page:
    """Events of the log up to `reached`; `head` is the newest there is. `closed`: the account is deactivated."""

    events: list[tuple[int, Event]]
    reached: int
    head: int
    closed: bool


class LocalEvents(ClosingIterator):
    """An async iterator of a user's events, each once and in order.

    `Reset` comes first without a cursor, and where the events since the cursor are not to be had; `Live` says that
    everything up to now has been handed over, each time that the reader has caught up with the log. While it is being
    read the user counts as online. It ends when the account is deactivated or erased. What is read and not stored is
    read again from the cursor of the last item. Close it with `aclose`, or use `async with`; one that is no longer
    referred to is closed too.

    Asking for the first item raises `Refusal` as commands do: `not_found`, `forbidden`; and asking for any raises
    `unavailable` when the node is closed, and `RuntimeError` while another task waits for it. Cancelling loses
    nothing. Do not change the events: others get the same objects.
    """

    _session: LocalSession | None = None

    def __init__(
        self,
        core: Core,
        account: Callable[[], Awaitable[Account]],
        after: Cursor | None,
        kinds: Collection[str] | None,
        conversations: Collection[str] | None,
    ) -> None:
        self._core = core
        self._registry = core.part(SessionRegistry)
        self._find_account = account
        self._cursor = checked_cursor(after)
        self._wanted = WantedEvents(kinds_pushed(core, kinds), words(conversations))
        self._items: deque[LocalItem] = deque()
        self._reader = OneReader()
        self._token = trio.lowlevel.current_trio_token()
        self._began = False
        self._taken = 0

    async def _ready(self) -> None:
        if self._session is None:
            await self._begin()

    async def _release(self) -> None:
        session = self._session
        self._detach()
        if session is not None:
            session.changed.notify()  # a task that waits for the next item looks whether this has ended
        await trio.lowlevel.checkpoint()

    def __del__(self) -> None:
        session = self._session
        if session is not None:  # the last reference may have been in another thread
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._registry.detach, session)

    async def __anext__(self) -> LocalItem:
        with self._reader:
            return await self._next()

    async def _next(self) -> LocalItem:
        self._taken += 1
        if self._taken % TURN_ITEMS:
            await trio.lowlevel.checkpoint_if_cancelled()
        else:
            await trio.lowlevel.checkpoint()
        while not self._ended:
            if self._items:
                return self._items.popleft()
            session = self._session
            if session is not None and (push := session.take()) is not None:
                return self._pushed(push)
            if session is not None and session.over and not session.behind_log:
                break
            await self._go_on(session)
        self._ended = True
        self._detach()
        raise StopAsyncIteration

    async def _go_on(self, session: LocalSession | None) -> None:
        """Wait for something to hand over, or read it."""
        if session is None:
            await self._begin()
        elif session.cut:
            self._cursor = Cursor(self._core.epoch, session.reached)
            self._detach()
        elif session.catching_up:
            await self._read_page(session)
        elif session.behind_log:
            session.hold()
        else:
            await session.changed.wait()

    async def _begin(self) -> None:
        """Attach a session; it catches up from the cursor, or from the inbox as it is now."""
        try:
            account = await self._find_account()
            Caller(self._core, account=account).check(permissions.CHAT, reads=True)
        except Refusal as refusal:
            if not self._began or refusal.temporary:
                raise
            self._ended = True  # deactivated while it was away
            return
        session = LocalSession(account, self._wanted, self._core.config.limits.outbox_bytes)
        cursor, epoch, most = self._cursor, self._core.epoch, self._core.config.limits.page_items

        def read(reader: Reader) -> tuple[int, InboxPage | None]:
            head = log.head(reader)
            if cursor is not None and cursor.epoch == epoch and cursor.gid <= head:
                return cursor.gid, None
            return head, inbox.page(reader, account, None, most)

        try:
            await self._registry.attach(session)
            session.reached, snapshot = await self._core.db.read(read)
        except BaseException:
            self._registry.detach(session)
            raise
        self._session, self._began = session, True
        if snapshot is not None:
            self._items.append(Reset(snapshot, cursor=Cursor(epoch, session.reached)))

    async def _read_page(self, session: LocalSession) -> None:
        """Read on in the log. At its end the session is live again."""
        if session.held_too_much:
            session.hold()  # what is let go was committed before the page is read
        read = partial(_page_of, account=session.account, after=session.reached, wanted=self._wanted)
        page = await self._core.db.read(read)
        session.reached = session.gid = page.reached
        epoch = self._core.epoch
        for gid, event in page.events:
            fields = codec.to_plain(event)
            self._items.append(Pushed(gid, event.name, event, fields, cursor=Cursor(epoch, gid)))
        if page.reached < page.head or session.held_too_much:
            return
        # Nothing is awaited between the last look and this: what comes from now on is sent, or was held.
        session.behind_log = False
        session.over = page.closed
        if not session.over:
            self._items.append(Live(page.reached, cursor=Cursor(epoch, page.reached)))
            session.go_live()

    def _pushed(self, push: Push) -> Pushed:
        cursor = Cursor(self._core.epoch, push.gid) if push.gid is not None else None
        if push.source is not None:
            return Pushed(push.gid, push.event, push.source, codec.to_plain(push.source), cursor=cursor)
        frame: dict[str, Any] = codec.decode(push.json)
        return pushed(push.gid, push.event, frame, cursor)

    def _detach(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            self._registry.detach(session)


def _page_of(reader: Reader, account: Account, after: int, wanted: WantedEvents) -> _Page:
    """In a reader thread, which may hold on to what it was given: so that is not the iterator."""
    rows = following.rows_for(reader, account, after, wanted.kinds, PAGE_EVENTS)
    events: list[tuple[int, Event]] = []
    for row in rows.rows:
        if wanted.conversations is not None and row.conversation not in wanted.conversations:
            continue
        event = log.event_for(reader, account.key, row)
        if event is not None:
            events.append((row.gid, event))
    closed = people.by_key(reader, account.key).deactivated_at is not None
    return _Page(events, rows.reached, rows.head, closed)
