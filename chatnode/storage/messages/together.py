"""Posts and marks of a group together: one statement for each table instead of several for each request.

What all of them read is remembered from one group to the next: valid sessions, places in conversations with their heads
and marks, and blocks. The engine forgets it when anything else writes, and with each rollback
(`storage/engine/commit.py`).

Messages that are only text, and marks, change few rows, and everything they read of those is in memory. So their rows
wait and are written together. Any other post (with a mention, in a thread, with a `cid` that was used before, one that
a plugin follows …) is run by `posting.post` in its turn, once the waiting rows are written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import outcome

from chatnode.errors import Refusal
from chatnode.model.commands.messages import Marked, Posted
from chatnode.model.events import MessagePosted, ReceiptDelivered, ReceiptRead
from chatnode.model.ids import message_id
from chatnode.model.messages import Message, ReceiptKind
from chatnode.model.people import Account
from chatnode.model.records import record
from chatnode.model.times import rfc3339
from chatnode.storage.conversations import conversations
from chatnode.storage.conversations.conversations import Place
from chatnode.storage.engine.arrays import json_array
from chatnode.storage.engine.dialect import each_of
from chatnode.storage.engine.transaction import BulkTransaction, Known, PlannedWrite, Transaction, follower_of
from chatnode.storage.messages import posting, receipts, times
from chatnode.storage.messages.posting import Draft
from chatnode.storage.messages.receipts import Advances
from chatnode.storage.people import sessions

_EVENTS = (MessagePosted, ReceiptRead, ReceiptDelivered)
MOST_REMEMBERED = 10_000
"""Maximum number of places, sessions and users; with more, everything is forgotten."""


def post(sender: Account, draft: Draft, everyone_members: int = 0) -> PlannedWrite[Posted]:
    """`posting.post`, as a plan."""
    return _planned(_Post(sender, draft, everyone_members))


def mark(account: Account, conversation: str, kind: ReceiptKind, seq: int) -> PlannedWrite[Marked]:
    """`receipts.mark`, as a plan."""
    return _planned(_Mark(account, conversation, kind, seq))


@record
class _Post:
    account: Account
    draft: Draft
    everyone_members: int

    @property
    def conversation(self) -> str:
        return self.draft.conversation

    def run(self, tx: Transaction) -> Posted:
        return posting.post(tx, self.account, self.draft, self.everyone_members)

    def is_plain(self) -> bool:
        draft = self.draft
        return (
            draft.kind == "text" and "@" not in draft.text and draft.reply_to is None and draft.thread is None
            and draft.content is None and not draft.metadata and draft.sent is None
        )  # fmt: skip


@record
class _Mark:
    account: Account
    conversation: str
    kind: ReceiptKind
    seq: int

    def run(self, tx: Transaction) -> Marked:
        return receipts.mark(tx, self.account, self.conversation, self.kind, self.seq)


def _planned(asked: _Post | _Mark) -> PlannedWrite[Any]:
    return PlannedWrite(asked.run, bulk=run_together, asked=asked)


def run_together(
    tx: BulkTransaction, known: Known, plans: Sequence[PlannedWrite[Any]], /
) -> Iterator[outcome.Outcome[Any]]:
    """The `Bulk` of posts and marks."""
    memory: _Memory = known.setdefault("memory", _Memory())
    if memory.entries > MOST_REMEMBERED:
        memory.forget_all()
    return _Run(tx, memory).outcomes(plans)


@record
class _Conversation:
    """`places` has each known member's place, by key, and whether the member may post."""

    head: int
    ordered_at: int
    places: dict[int, tuple[Place, bool]] = attrs.field(factory=dict[int, tuple[Place, bool]])


class _Memory:
    """What the tables say, together with the rows that wait in the current run.

    `sessions` says when each session ends, `hidden_from` what `signs.hidden_from` returns, by user.
    """

    __slots__ = ("_loaded", "conversations", "hidden_from", "sessions")

    def __init__(self) -> None:
        self._loaded = 0
        self.sessions: dict[int, int | None] = {}
        self.hidden_from: dict[int, frozenset[int]] = {}
        self.conversations: dict[str, _Conversation] = {}

    def forget_all(self) -> None:
        """The same dicts, because a run that goes on has `hidden_from` in hand."""
        self._loaded = 0
        self.sessions.clear()
        self.hidden_from.clear()
        self.conversations.clear()

    @property
    def entries(self) -> int:
        return self._loaded + len(self.sessions) + len(self.hidden_from)

    def check_not_revoked(self, tx: Transaction, session: int) -> None:
        try:
            ends_at = self.sessions[session]
        except KeyError:
            self.sessions[session] = sessions.good_until(tx, session, tx.now)
        else:
            if ends_at is not None and ends_at <= tx.now:
                sessions.check_not_revoked(tx, session)

    def place(self, tx: Transaction, account: Account, id: str) -> tuple[_Conversation, Place, bool]:
        """A conversation, the user's place in it, and whether they may post; raises as `conversations.access` does."""
        conversation = self.conversations.get(id)
        found = conversation.places.get(account.key) if conversation is not None else None
        if conversation is None or found is None:
            place, unreachable = conversations.access_and_unreachable(tx, account, id)
            if conversation is None:  # else its head in memory is newer than the table's while rows wait
                conversation = self.conversations[id] = _Conversation(place.head, place.ordered_at)
            found = conversation.places[account.key] = place, place.closed_reason is None and unreachable is None
            self._loaded += 1
        place, may_post = found
        place.head, place.ordered_at = conversation.head, conversation.ordered_at
        return conversation, place, may_post


class _Run:
    """One run of the bulk, with the rows that wait to be written."""

    __slots__ = ("_advances", "_followed", "_heads", "_memory", "_messages", "_now", "_tx")

    def __init__(self, tx: BulkTransaction, memory: _Memory) -> None:
        self._tx = tx
        self._memory = memory
        self._now = rfc3339(tx.now)  # nearly always the time of all posts
        self._messages: list[tuple[Any, ...]] = []
        self._heads: dict[int, tuple[int, int, int, int]] = {}
        self._advances = Advances(memory.hidden_from, wait=True)
        self._followed = {event.name for event in _EVENTS} & tx.followers.keys()

    def outcomes(self, plans: Sequence[PlannedWrite[Any]]) -> Iterator[outcome.Outcome[Any]]:
        """The outcome of each plan, in their order. A plan that is refused has changed nothing."""
        ids = [_id_of(plan.asked) for plan in plans]
        used = _stored(self._tx, [id for id in ids if id is not None])
        marks_wait = self._followed <= {MessagePosted.name}
        for plan, id in zip(plans, ids, strict=True):
            call: _Post | _Mark = plan.asked
            try:
                if isinstance(call, _Mark):
                    value = self._mark(plan, call) if marks_wait else self._run_alone(plan)
                elif id is None or id in used or not call.is_plain():
                    value = self._run_alone(plan)
                else:
                    value = self._post(plan, call, id)
                result: outcome.Outcome[Any] = outcome.Value(value)
            except Refusal as refusal:
                result = outcome.Error(refusal)
            if id is not None:
                used.add(id)
            yield result
        self._write()

    def _post(self, plan: PlannedWrite[Any], call: _Post, id: str) -> Posted:
        tx, sender, draft = self._tx, call.account, call.draft
        if plan.session is not None:
            self._memory.check_not_revoked(tx, plan.session)
        conversation, place, may_post = self._memory.place(tx, sender, draft.conversation)
        if not may_post:
            conversations.access_to_post(tx, sender, draft.conversation)  # raises the reason
        at, late = times.next_at(tx, place.key, place.head, place.ordered_at)
        if late is not None:
            return self._run_alone(plan)
        seq, gid = place.head + 1, tx.next_gid
        message = Message(
            id, draft.conversation, seq, gid, sender.ref, draft.cid, draft.text, self._rfc3339(at), None, None, None,
            "text",
        )  # fmt: skip
        event = MessagePosted(draft.conversation, message)
        if self._followed and follower_of(tx, event) is not None:
            return self._run_alone(plan)
        self._messages.append((id, place.key, seq, gid, sender.key, draft.cid, draft.text, at))
        posted = self._heads[place.key][3] if place.key in self._heads else 0
        self._heads[place.key] = seq, gid, at, posted + 1
        self._advances.posted(place, sender.key, seq, tx.now)
        tx.record(event, conversation=place.key, subject=seq, actor=sender.key)
        conversation.head, conversation.ordered_at = seq, at
        return Posted(gid, seq, id, False)

    def _rfc3339(self, at: int) -> str:
        return self._now if at == self._tx.now else rfc3339(at)

    def _mark(self, plan: PlannedWrite[Any], call: _Mark) -> Marked:
        if plan.session is not None:
            self._memory.check_not_revoked(self._tx, plan.session)
        _, place, _ = self._memory.place(self._tx, call.account, call.conversation)
        return receipts.mark_in(self._tx, self._advances, place, call.account, call.kind, call.seq)

    def _run_alone(self, plan: PlannedWrite[Any]) -> Any:
        """Run a plan's function, and forget what it may have changed."""
        tx = self._tx
        self._write()
        tx.holds = False
        try:
            return self._attempt(plan) if self._followed else self._refused_before_it_writes(plan)
        finally:
            tx.holds = True
            if self._followed:  # plugins may have written anything
                self._memory.forget_all()
            else:
                self._memory.conversations.pop(plan.asked.conversation, None)

    def _attempt(self, plan: PlannedWrite[Any]) -> Any:
        """Run a plan's function in a savepoint, because a plugin may refuse after rows are written."""
        done: list[Any] = []
        refusal = self._tx.attempt(lambda: done.append(plan.function(self._tx)))
        if refusal is not None:
            raise refusal
        return done[0]

    def _refused_before_it_writes(self, plan: PlannedWrite[Any]) -> Any:
        changes = self._tx.connection.total_changes
        try:
            return plan.function(self._tx)
        except Refusal as refusal:
            if self._tx.connection.total_changes != changes:
                raise RuntimeError("the request was refused after it had written") from refusal
            raise

    def _write(self) -> None:
        """Write the waiting rows."""
        tx = self._tx
        if self._messages:
            if tx.executemany(posting.INSERT_TEXT, self._messages).rowcount != len(self._messages):
                raise RuntimeError("a message with the same id was stored in the meantime")
            tx.executemany(
                posting.UPDATE_CONVERSATION,
                [(seq, gid, at, at, posted, key) for key, (seq, gid, at, posted) in self._heads.items()],
            )
            self._messages.clear()
            self._heads.clear()
        self._advances.write(tx)
        tx.release()


def _id_of(call: _Post | _Mark) -> str | None:
    return message_id(call.account.id, call.draft.cid) if isinstance(call, _Post) else None


def _stored(tx: Transaction, ids: list[str]) -> set[str]:
    """Those of these messages that are stored already."""
    if not ids:
        return set()
    sql = f"SELECT id FROM messages WHERE id IN {each_of('?')}"  # noqa: S608 -- constants
    return {id for (id,) in tx.execute(sql, (json_array(ids),))}
