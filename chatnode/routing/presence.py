"""Presence: derived from live sessions, and pushed to users who share a conversation.

Clients do not declare themselves online. A user is online from their first live session until `presence.grace_seconds`
after the last, so that a quick reconnect causes no push; meanwhile they stay in the registry, whose maps show who to
notify without a query. Changes are pushed in batches, a few times a second, about one user at most once in
`presence.interval_seconds`, and only if the state still differs. A new session, or one that was behind, gets the whole
state instead. The times when users were last active are kept here and written in batches: a crash loses one batch.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from math import inf

import attrs
import trio

from chatnode.concurrency import Signal
from chatnode.config import PresenceSettings as Settings
from chatnode.errors import Refusal
from chatnode.model.people import PersonRef
from chatnode.model.presence import NO_STATUS, Badge, Change, Presence, PresenceStatus, presence_for_others
from chatnode.model.times import now_ms, rfc3339
from chatnode.protocol import codec
from chatnode.protocol.envelopes import Push
from chatnode.routing.broadcast import PUSHES_A_STEP, Broadcaster
from chatnode.routing.sessions import LivePerson, OpenSession, SessionRegistry
from chatnode.routing.typing import TypingBoard
from chatnode.storage.engine.connection import DatabaseError
from chatnode.storage.engine.database import Database
from chatnode.storage.presence import presence as storage
from chatnode.storage.presence.presence import Changed, Mark, PresenceAudience, PresenceRow

TICK_SECONDS = 0.25
"""Seconds within which changes are pushed together."""
MOST_STATUSES = 500
"""Maximum number of offline users, those with the newest statuses, to consider for a state."""


@attrs.define(eq=False)
class Card:
    """One user's presence. `told` is what was last pushed to others, `told_at` when.

    `told` is None if some were sent something else, or nothing. `json` is the wire form that was pushed, until
    something changes.
    """

    person: PersonRef
    status: PresenceStatus = NO_STATUS
    hidden: bool = False
    version: int = 0
    online: bool = False
    active_at: int | None = None
    told: tuple[bool, PresenceStatus] | None = (False, NO_STATUS)
    told_at: float = -inf
    json: bytes | None = None


class PresenceBoard:
    """The presence of all users. `run` pushes and writes; until it runs, nothing is pushed.

    All methods are called on the trio thread. `clock` returns milliseconds since 1970 and may be replaced.
    """

    def __init__(
        self, db: Database, registry: SessionRegistry, settings: Settings, clock: Callable[[], int] = now_ms
    ) -> None:
        self._db = db
        self._registry = registry
        self._settings = settings
        self.clock = clock
        self._cards: dict[int, Card] = {}
        self._active: dict[int, int] = {}  # not written yet
        self._changed: list[Changed] = []  # likewise
        self._with_status: dict[int, None] = {}  # in the order in which they were set
        self._leaving: dict[int, float] = {}  # until when they count as being there, in this order
        self._due: dict[int, PresenceAudience | None] = {}  # to be told of; where, when no live session says it
        self._telling = Broadcaster(registry, settings.most_audience)
        self.typing = TypingBoard(self._telling, settings.typing_seconds, clock)
        self._wake = Signal()
        self._running = False
        registry.watcher = self

    def load(self, marks: dict[int, Mark]) -> None:
        """Load the stored presence."""
        for person, mark in marks.items():
            self._set_card(person, mark)

    # ---- what handlers ask and tell

    def mark_active(self, person: int) -> None:
        self._active[person] = self.clock()

    def is_online(self, person: int) -> bool:
        live = self._registry.person(person)
        if live is None:
            return False
        return bool(live.sessions) or self._leaving.get(person, -inf) > trio.current_time()

    def last_active(self, person: int) -> int | None:
        card = self._cards.get(person)
        return self._active.get(person) or (card.active_at if card is not None else None)

    def _newest_activity(self, person: int, stored: int | None) -> int | None:
        """When a user was last active, in milliseconds, including what is not stored yet."""
        return max(stored or 0, self.last_active(person) or 0) or None

    def as_known(self, found: PresenceRow) -> Presence:
        """The presence of a user now: a row of `presence.seen` together with what is only in memory."""
        active_at = self._newest_activity(found.key, found.active_at)
        return presence_for_others(found.person, self.is_online(found.key), active_at, found.status, self.clock())

    def badge(
        self, person: int, active_at: int | None, text: str | None, emoji: str | None, until: int | None
    ) -> Badge:
        """The presence of a user who is already named, from columns of `presence`."""
        badge: Badge = {"online": self.is_online(person)}
        if last := self._newest_activity(person, active_at):
            badge["last_active_at"] = rfc3339(last)
        if (text is not None or emoji is not None) and (until is None or until > self.clock()):
            if text is not None:
                badge["text"] = text
            if emoji is not None:
                badge["emoji"] = emoji
            if until is not None:
                badge["until"] = rfc3339(until)
        return badge

    def is_hidden(self, person: int) -> bool:
        card = self._cards.get(person)
        return card is not None and card.hidden

    def marked(self, person: int, mark: Mark, circle: PresenceAudience) -> None:
        card = self._cards.get(person)
        if card is None or card.version < mark.version:
            self._set_card(person, mark)
            self._mark_due(person, circle)

    def erased(self, person: int, nobody: PersonRef, circle: PresenceAudience) -> None:
        card = self._cards.get(person)
        if card is not None:
            card.person = nobody
            self._set_card(person, Mark(nobody, NO_STATUS, True, card.version + 1))
            self._mark_due(person, circle)

    def _set_card(self, person: int, mark: Mark) -> None:
        card = self._cards.setdefault(person, Card(mark.person))
        card.status, card.hidden, card.version, card.json = mark.status, mark.hidden, mark.version, None
        self._with_status.pop(person, None)
        if mark.status != NO_STATUS and not mark.hidden:
            self._with_status[person] = None

    # ---- what the registry tells

    def attached(self, session: OpenSession) -> None:
        live = self._registry.person(session.account.key)
        assert live is not None
        self.mark_active(live.key)
        self._leaving.pop(live.key, None)
        card = self._cards.setdefault(live.key, Card(live.ref))
        if not card.online:
            self._turn(live.key, card, True)
        if session.wants_presence and self._running:
            self._telling.behind[session] = None
            self._wake.notify()

    def detached(self, session: OpenSession) -> None:
        self._telling.behind.pop(session, None)

    def gone(self, live: LivePerson) -> bool:
        self._leaving.pop(live.key, None)  # to be the last in order
        if self._running:
            self._leaving[live.key] = trio.current_time() + self._settings.grace_seconds
            self._wake.notify()
        elif (card := self._cards.get(live.key)) is not None:
            self._turn(live.key, card, False)
        return self._running

    def joined(self, person: int, conversation: int) -> None:
        """The user and the connected members become visible to each other."""
        live, card = self._registry.person(person), self._cards.get(person)
        if not self._running:
            return
        if live is None or not live.ready.is_set():
            self._status_concerns(card, conversation)
            return
        if card is not None and card.online:
            card.told = None
            card.told_at = -inf
            self._mark_due(person)
        self._owe_state(live)

    def left(self, person: int, conversation: int) -> None:
        """Members who shared only that conversation see the user go offline, and the user them."""
        live, card = self._registry.person(person), self._cards.get(person)
        if not self._running:
            return
        if live is None or not live.ready.is_set():
            self._status_concerns(card, conversation)
            return
        self._owe_state(live)
        hearing = self._registry.hearing_by_key(conversation)
        if card is None or len(hearing) > self._settings.most_audience:
            return
        gone = Push(None, Presence.name, b'{"event":"presence",' + codec.encode(Presence(card.person, False))[1:])
        for other in hearing.values():
            if other.conversations.isdisjoint(live.conversations):
                self._telling.push(other, gone)

    def _status_concerns(self, card: Card | None, conversation: int) -> None:
        """An offline user shows only a status; the database knows its audience."""
        hearing = self._registry.hearing_by_key(conversation)
        if card is not None and card.status != NO_STATUS and len(hearing) <= self._settings.most_audience:
            for other in hearing.values():
                self._owe_state(other)

    def blocked(self, live: LivePerson) -> None:
        """The blocked user sees the other go offline, or return; the state does not say why."""
        if self._running:
            self._owe_state(live)

    def _owe_state(self, live: LivePerson) -> None:
        for session in live.sessions:
            if session.wants_presence:
                self._telling.behind[session] = None
        self._wake.notify()

    def _turn(self, person: int, card: Card, online: bool) -> None:
        card.online = online
        card.json = None
        self._mark_due(person)
        if self._settings.history_days:
            change: Change = "online" if online else "offline"
            self._changed.append(Changed(person, self.clock(), change))

    def _mark_due(self, person: int, circle: PresenceAudience | None = None) -> None:
        if self._running:
            self._due[person] = circle or self._due.get(person)
            self._wake.notify()

    # ---- telling

    @property
    def _has_work(self) -> bool:
        return bool(self._due or self._telling.behind or self._leaving)

    async def run(self) -> None:
        """Push and write until cancelled. Call `write` afterwards for what is left."""
        self._start()
        next_write = trio.current_time() + self._settings.write_seconds
        try:
            while True:
                with trio.move_on_after(1.0):
                    while not self._has_work:
                        await self._wake.wait()
                await trio.sleep(TICK_SECONDS)
                await self.tick()
                if trio.current_time() >= next_write:
                    with suppress(Refusal, DatabaseError):  # it stays to be written, and others say what is wrong
                        await self.write()
                    next_write = trio.current_time() + self._settings.write_seconds
        finally:
            self._stop()

    def _start(self) -> None:
        self._running = True
        for session in self._registry.all():
            if session.wants_presence:
                self._telling.behind[session] = None
        for person, card in self._cards.items():
            if card.online:
                self._mark_due(person)

    def _stop(self) -> None:
        self._running = False
        for person in list(self._leaving):
            self._left(person)
            live = self._registry.person(person)
            if live is not None:
                self._registry.forget(live)
        self._due.clear()
        self._telling.behind.clear()

    async def tick(self) -> None:
        """Push what is due."""
        now = trio.current_time()
        while self._leaving and next(iter(self._leaving.values())) <= now:
            self._left(next(iter(self._leaving)))
        await self._push_changes(now)
        await self._send_states()

    def _left(self, person: int) -> None:
        del self._leaving[person]
        live, card = self._registry.person(person), self._cards.get(person)
        if live is not None and not live.sessions and card is not None:
            self._turn(person, card, False)

    async def _push_changes(self, now: float) -> None:
        count = 0
        for person in list(self._due):
            card = self._cards[person]
            if person not in self._due or card.told_at + self._settings.interval_seconds > now:
                continue
            circle = self._due.pop(person)
            count += self._push_card(person, card, circle, now)
            if count > PUSHES_A_STEP:
                count = 0
                await self._telling.flush()
        await self._telling.flush()

    def _push_card(self, person: int, card: Card, circle: PresenceAudience | None, now: float) -> int:
        """Push one user's presence; returns the number of sessions."""
        live = self._registry.person(person)
        shown = (card.online, card.status) if not card.hidden else (False, NO_STATUS)
        count = 0
        if shown != card.told:
            card.told, card.told_at = shown, now
            push = Push(None, Presence.name, b'{"event":"presence",' + self._json(person, card)[1:])
            where = PresenceAudience(live.conversations, live.blocked) if live is not None else circle
            for other in self._telling.audience(where) if where is not None else ():
                count += self._telling.push(other, push)
            if live is not None and not live.conversations:
                count += self._telling.push(live, push)
        if live is not None and not card.online:
            self._registry.forget(live)
        return count

    def _json(self, person: int, card: Card) -> bytes:
        if card.hidden:
            return codec.encode(Presence(card.person, online=False))
        if card.json is None:
            now = self.clock()
            told = presence_for_others(card.person, card.online, self.last_active(person), card.status, now)
            card.json = memoryview(codec.encode(told)).tobytes()  # a copy: the encoder's bytes keep 4 KiB of buffer
        return card.json

    async def _send_states(self) -> None:
        sent = False
        for session in list(self._telling.behind):
            if session.catching_up or session.behind:
                continue
            sent = True
            self._telling.behind.pop(session, None)
            offline = await self._offline_with_status(session.account.key)
            live = self._registry.person(session.account.key)
            if live is not None and session in live.sessions:
                with self._registry.contained(session):
                    session.push(self._state(live, offline))
                    session.flush()
            await trio.lowlevel.checkpoint()
        if sent:  # a state says how people are now: of those who are due, otherwise than was told
            for person in self._due:
                self._cards[person].told = None

    async def _offline_with_status(self, me: int) -> list[PresenceRow]:
        candidates = [
            person for person in islice(reversed(self._with_status), MOST_STATUSES) if not self.is_online(person)
        ]
        if not candidates:
            return []
        try:
            return await self._db.read(lambda reader: storage.with_status(reader, me, candidates))
        except (Refusal, DatabaseError):
            return []  # the node is stopping, or the database is damaged

    def _state(self, live: LivePerson, offline: list[PresenceRow]) -> Push:
        """The visible users who are online or have a status, up to the setting's number."""
        people: list[bytes] = []
        for other in self._telling.audience(PresenceAudience(live.conversations, frozenset())):
            card = self._cards.get(other.key)
            if other is live or card is None or not card.online or card.hidden or live.ref.id in other.blocked:
                continue
            people.append(self._json(other.key, card))
        for found in offline:
            if not self.is_online(found.key):
                now = self.clock()
                active_at = self._newest_activity(found.key, found.active_at)
                people.append(codec.encode(presence_for_others(found.person, False, active_at, found.status, now)))
        listed = b",".join(people[: self._settings.state_people])
        return Push(None, "presence.state", b'{"event":"presence.state","people":[' + listed + b"]}")

    # ---- writing

    async def write(self) -> None:
        """Write what is only in memory, in one transaction. Raises `Refusal` if storage accepts no writes; then it is
        kept for the next time."""
        self._sweep()
        if not (self._end_statuses() or self._active or self._changed):
            return
        active, self._active = self._active, {}
        changed, self._changed = self._changed, []
        for person, at in active.items():
            if (card := self._cards.get(person)) is not None:
                card.active_at, card.json = at, None
        try:
            days = self._settings.history_days
            await self._db.write(lambda tx: storage.write_batch(tx, active, changed, days))
        except (Refusal, DatabaseError):
            self._active = active | self._active
            self._changed = changed + self._changed
            raise

    def _end_statuses(self) -> bool:
        """Forget statuses that have ended; returns whether there were any. Clients notice the end by themselves."""
        now = self.clock()
        ended = [person for person in self._with_status if not self._cards[person].status.holds(now)]
        for person in ended:
            del self._with_status[person]
            self._cards[person].status, self._cards[person].json = NO_STATUS, None
        return bool(ended)

    def _sweep(self) -> None:
        """Forget users without any state."""
        self.typing.sweep()
        now = trio.current_time()
        self._cards = {
            person: card
            for person, card in self._cards.items()
            if card.online or card.hidden or card.status != NO_STATUS or person in self._due
            or card.told_at + self._settings.interval_seconds > now
        }  # fmt: skip
