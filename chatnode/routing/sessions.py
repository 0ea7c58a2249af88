"""Live sessions: who is connected now, and which conversations they hear.

Everything here runs on the trio thread and none of it awaits, except loading what a person takes part in.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from math import inf
from types import MappingProxyType
from typing import ClassVar, Literal, Protocol

import trio

from chatnode.logs import get_logger
from chatnode.model.people import Account
from chatnode.model.times import now_ms
from chatnode.protocol.envelopes import Push
from chatnode.storage.conversations import conversations
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.database import Database
from chatnode.storage.log import log
from chatnode.storage.presence import presence

logger = get_logger("routing")

MOST_HELD = 1_000
"""Pushes kept for a session that is catching up; past that it reads the log once more instead."""


class OpenSession(ABC):
    """One live reader: a client socket, an event stream, or the program that the node is embedded in.

    `gid` is what it was sent up to: a push at or below it is a repeat and is dropped. While the session
    catches up with the log, pushes are held, so that nothing falls between the log and live.
    """

    __slots__ = ("_held", "account", "ends_at", "gid", "held_too_much", "key", "since", "wants_presence")

    transport: ClassVar[Literal["socket", "stream", "program"]] = "socket"

    def __init__(self, account: Account, key: int, ends_at: int | None = None) -> None:
        """`ends_at`: when its token expires, in milliseconds; None is never."""
        self.ends_at = ends_at
        self.account = account
        self.key = key
        self.since = now_ms()
        self.gid = 0
        self.held_too_much = False
        self.wants_presence = True
        self._held: list[Push] | None = []

    @property
    def catching_up(self) -> bool:
        """Whether pushes are held."""
        return self._held is not None

    @property
    def behind(self) -> bool:
        """Whether the reader has not taken all yet: what is only passing is not worth being sent now."""
        return False

    @abstractmethod
    def send(self, push: Push) -> None:
        """Hand a push to the reader. Must not block; a reader that is too slow ends its session."""

    @abstractmethod
    def flush(self) -> None:
        """Everything that was sent in this step is complete: let it go out."""

    @abstractmethod
    def end(self, *, resume: bool, reason: str) -> None:
        """End the session: `resume` says whether the client should come back with its cursor."""

    @property
    def queued_bytes(self) -> int:
        """What was sent and not taken yet."""
        return 0

    def push(self, push: Push) -> bool:
        """Send, hold or drop a push; returns whether `flush` is due. What is not in the log is not held."""
        if self._held is not None:
            if push.gid is None:
                return False
            if len(self._held) < MOST_HELD:
                self._held.append(push)
            else:
                self.held_too_much = True
            return False
        if self.ends_at is not None and self.expired:
            return False
        if push.gid is not None:
            if push.gid <= self.gid:
                return False
            self.gid = push.gid
        self.send(push)
        return True

    @property
    def expired(self) -> bool:
        """Whether its token has expired: nothing more is for it."""
        return self.ends_at is not None and now_ms() >= self.ends_at

    @property
    def seconds_left(self) -> float:
        """Until its token expires."""
        return inf if self.ends_at is None else max(0.0, (self.ends_at - now_ms()) / 1000)

    def hold(self) -> None:
        """Keep pushes until `go_live`."""
        self._held = []
        self.held_too_much = False

    def go_live(self) -> None:
        """Send what was held above `gid`, and from now on at once."""
        held, self._held = self._held or [], None
        for push in held:
            self.push(push)


class LivePerson:
    """A person with live sessions, and the conversations they hear.

    For a moment after the last session went, `sessions` is empty: they are still counted as being there.
    `blocked` are the ids of the people who shall see nothing of them.
    """

    __slots__ = ("block_changes", "blocked", "changes", "conversations", "key", "ready", "ref", "sessions")

    def __init__(self, account: Account) -> None:
        self.key = account.key
        self.ref = account.ref
        self.sessions: list[OpenSession] = []
        self.conversations: set[int] = set()
        self.blocked: set[str] = set()
        self.ready = trio.Event()
        self.changes: list[tuple[int, int, bool]] = []  # gid, conversation, joined: while loading
        self.block_changes: list[tuple[int, str, bool]] = []  # gid, person's id, blocked: while loading


class Watcher(Protocol):
    """Is told who comes and goes."""

    def attached(self, session: OpenSession) -> None:
        """A session is there, and its person hears their conversations."""
        ...

    def detached(self, session: OpenSession) -> None: ...

    def gone(self, live: LivePerson) -> bool:
        """A user's last session ended; returns whether they stay in the registry until `forget`."""
        ...

    def joined(self, person: int, conversation: int) -> None:
        """A user, connected or not, joined a conversation."""
        ...

    def left(self, person: int, conversation: int) -> None:
        """A user, connected or not, left a conversation."""
        ...

    def blocked(self, live: LivePerson) -> None:
        """A user was blocked or unblocked by another."""
        ...


_NOBODY: Mapping[int, LivePerson] = MappingProxyType({})


class SessionRegistry:
    """All live sessions of the node, by person and by conversation."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._people: dict[int, LivePerson] = {}
        self._hearing: dict[int, dict[int, LivePerson]] = {}  # conversation → person → who
        self.watcher: Watcher | None = None

    def __len__(self) -> int:
        return sum(len(live.sessions) for live in self._people.values())

    @property
    def conversations(self) -> int:
        """How many conversations have a connected member."""
        return len(self._hearing)

    def all(self) -> list[OpenSession]:
        return [session for live in self._people.values() for session in live.sessions]

    async def attach(self, session: OpenSession) -> None:
        """From when this returns, the session is pushed what its person may see."""
        live = self._people.get(session.account.key)
        if live is not None:
            live.sessions.append(session)
            await live.ready.wait()
            self._attached(session, live)
            return
        live = self._people[session.account.key] = LivePerson(session.account)
        live.sessions.append(session)
        try:
            await self._load(live)
            self._attached(session, live)
        except BaseException:
            # Others may be waiting for this person to be ready: end them too, their clients come back.
            self._forget(live)
            for waiting in live.sessions:
                if waiting is not session:
                    waiting.end(resume=True, reason="try again")
            live.ready.set()
            raise

    async def _load(self, live: LivePerson) -> None:
        def read(reader: Reader) -> tuple[int, list[int], set[str]]:
            return log.head(reader), conversations.of_person(reader, live.key), presence.blocked_by(reader, live.key)

        head, found, live.blocked = await self._db.read(read)
        hears = set(found)
        for gid, conversation, joined in live.changes:
            if gid > head:
                (hears.add if joined else hears.discard)(conversation)
        for gid, person, blocked in live.block_changes:
            if gid > head:
                (live.blocked.add if blocked else live.blocked.discard)(person)
        live.changes, live.block_changes = [], []
        live.ready.set()
        if self._people.get(live.key) is not live:
            return  # everybody went while we were reading
        for conversation in hears:
            self._hear(live, conversation)

    def _attached(self, session: OpenSession, live: LivePerson) -> None:
        if self.watcher is not None and self._people.get(live.key) is live and session in live.sessions:
            self.watcher.attached(session)

    def detach(self, session: OpenSession) -> None:
        """The session is over. Detaching twice does nothing."""
        live = self._people.get(session.account.key)
        if live is None or session not in live.sessions:
            return
        live.sessions.remove(session)
        if self.watcher is not None:
            self.watcher.detached(session)
        if not live.sessions and not (live.ready.is_set() and self.watcher is not None and self.watcher.gone(live)):
            self.forget(live)

    def give_up(self, session: OpenSession) -> None:
        """End a session that failed, from its `except`. Live sessions have no gaps: its client resumes."""
        logger.exception("a session of %s failed and was closed", session.account.handle)
        self.detach(session)
        try:
            session.end(resume=True, reason="try again")
        except Exception:
            logger.exception("and could not be closed cleanly")

    @contextmanager
    def contained(self, session: OpenSession) -> Generator[None]:
        """If the session fails, only it ends."""
        try:
            yield
        except Exception:
            self.give_up(session)

    def end_session(self, session: OpenSession, *, resume: bool, reason: str) -> None:
        """Send what waits, and end the session."""
        with self.contained(session):
            session.flush()
            session.end(resume=resume, reason=reason)
            self.detach(session)  # nothing more for a reader who takes their time to go

    def end_sessions_of_role(self, role: str) -> None:
        """End the sessions of users with a role, whose permissions have changed: those that come back are checked.

        The router ends those of users with tokens, as the log tells it. A program has sessions of users without any.
        """
        for session in self.all():
            if session.account.role == role:
                self.end_session(session, resume=True, reason="your role changed")

    def forget(self, live: LivePerson) -> None:
        """Remove a user without sessions. Does nothing if they are back or already removed."""
        if not live.sessions and self._people.get(live.key) is live:
            for conversation in live.conversations:
                self._unhear(conversation, live.key)
            self._forget(live)

    def _forget(self, live: LivePerson) -> None:
        if self._people.get(live.key) is live:
            del self._people[live.key]

    def person(self, key: int) -> LivePerson | None:
        return self._people.get(key)

    def hearing(self, conversation: int) -> Iterable[LivePerson]:
        """The connected members of a conversation. Do not change it while iterating."""
        return self._hearing.get(conversation, _NOBODY).values()

    def hearing_by_key(self, conversation: int) -> Mapping[int, LivePerson]:
        """The same, by the keys of the people."""
        return self._hearing.get(conversation, _NOBODY)

    def joined(self, gid: int, conversation: int, person: int) -> None:
        live = self._people.get(person)
        if live is not None and live.ready.is_set():
            self._hear(live, conversation)
        elif live is not None:
            live.changes.append((gid, conversation, True))
        if self.watcher is not None:
            self.watcher.joined(person, conversation)

    def left(self, gid: int, conversation: int, person: int) -> None:
        live = self._people.get(person)
        if live is not None and live.ready.is_set():
            live.conversations.discard(conversation)
            self._unhear(conversation, person)
        elif live is not None:
            live.changes.append((gid, conversation, False))
        if self.watcher is not None:
            self.watcher.left(person, conversation)

    def blocked(self, gid: int, person: int, other: str, blocked: bool) -> None:
        """`person` (a key) blocks the one with the id `other`, or does no longer."""
        live = self._people.get(person)
        if live is not None and live.ready.is_set():
            (live.blocked.add if blocked else live.blocked.discard)(other)
        elif live is not None:
            live.block_changes.append((gid, other, blocked))
        concerned = next((each for each in self._people.values() if each.ref.id == other), None)
        if concerned is not None and self.watcher is not None:
            self.watcher.blocked(concerned)

    def _hear(self, live: LivePerson, conversation: int) -> None:
        live.conversations.add(conversation)
        self._hearing.setdefault(conversation, {})[live.key] = live

    def _unhear(self, conversation: int, person: int) -> None:
        hearing = self._hearing.get(conversation)
        if hearing is not None:
            hearing.pop(person, None)
            if not hearing:
                del self._hearing[conversation]
