"""Judging again what is due: the messages may have been read or deleted since, and the user may have left."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson

from chatnode.api import Querying, Transaction, acting, json_array, record
from chatnode_notifications.deciding.bundles import messages_in
from chatnode_notifications.deciding.judging import DEFAULTS, paused_until
from chatnode_notifications.deciding.quiet import quiet_until
from chatnode_notifications.deciding.table import (
    CLOSING_ROWS,
    LEVEL,
    MOST_AHEAD_MS,
    PERSONAL,
    Case,
    NodeRules,
    Notify,
    Presence,
    Reason,
    judge,
)
from chatnode_notifications.items.adding import ItemDraft
from chatnode_notifications.items.model import Kind
from chatnode_notifications.preferences.model import Preferences
from chatnode_notifications.preferences.stored import preferences_of

KIND: Mapping[Reason, Kind] = {
    "mention": "mention", "everyone": "mention", "reply": "reply", "thread": "thread", "system": "system",
    "direct": "message", "ordinary": "message",
}  # fmt: skip
"""What an item is about, by why it matters."""


@record(frozen=True)
class Bundle:
    """A row of `notifications_bundles` with what decides about it."""

    key: int
    person: int
    conversation: int
    first_seq: int
    last_gid: int
    count: int
    messages: str
    made_at: int
    bot: bool
    takes_part: bool
    first: int
    read_seq: int
    notify: Notify
    muted_until: int | None
    archived: bool
    rang_at: int | None
    can_act: bool


@record(frozen=True)
class Postponed:
    """A bundle that is not due yet after all."""

    bundle: Bundle
    due_at: int


def is_due(column: str) -> str:
    """SQL, a condition: due at `:now`. What is due much later was stored by a clock that was ahead."""
    return f"({column} <= :now OR {column} > :now + {2 * MOST_AHEAD_MS})"


_BUNDLES = (
    "SELECT b.key, b.person, b.conversation, b.first_seq, b.last_gid, b.count, b.messages, b.made_at, p.bot, "
    "w.person IS NOT NULL AND w.left_gid IS NULL, coalesce(w.first, 0), "
    "coalesce(w.read_seq, 0), coalesce(s.notify, 'all'), s.muted_until, coalesce(s.archived, 0), "
    "(SELECT max(i.created_at) FROM notifications_items i WHERE i.person = b.person "
    "AND i.conversation = b.conversation) "
    "FROM notifications_bundles b JOIN people p ON p.key = b.person "
    "LEFT JOIN members w ON w.conversation = b.conversation AND w.person = b.person "
    "LEFT JOIN conversation_settings s ON s.person = b.person AND s.conversation = b.conversation "
    "WHERE b.key IN (SELECT value FROM json_each(?)) ORDER BY b.key"
)


def bundles_with(reader: Querying, keys: Collection[int]) -> list[Bundle]:
    """The bundles with these keys that are still there."""
    rows = reader.execute(_BUNDLES, (json_array(keys),)).fetchall()
    able = acting(reader, {person for _, person, *_ in rows})
    facts: list[list[Any]] = [[*row, row[1] in able] for row in rows]
    return [Bundle(*each) for each in facts]


def judge_again(
    tx: Transaction, bundles: Sequence[Bundle], presence: Mapping[int, Presence], rules: NodeRules, now: int
) -> list[ItemDraft | Postponed | None]:
    """What becomes of each: an item, more waiting, or nothing."""
    chosen = preferences_of(tx, {each.person for each in bundles})
    return [
        _judge(tx, each, chosen.get(each.person, DEFAULTS), presence.get(each.person, "away"), rules, now)
        for each in bundles
    ]


@record(frozen=True)
class _Posted:
    seq: int
    key: int
    sender: int
    at: int
    deleted: bool
    blocked: bool


def _judge(
    tx: Transaction, bundle: Bundle, chosen: Preferences, presence: Presence, rules: NodeRules, now: int
) -> ItemDraft | Postponed | None:
    reasons = messages_in(bundle.messages)
    quiet = quiet_until(chosen.quiet, chosen.zone, now) if chosen.quiet else None
    kept: list[_Posted] = []
    due: list[int] = []
    for each in _posted(tx, bundle, reasons):
        case = Case(
            now=now, at=each.at, reason=reasons[each.seq], made_at=bundle.made_at,
            takes_part=bool(bundle.takes_part), may_see=each.seq >= bundle.first, deleted=bool(each.deleted),
            own=each.sender == bundle.person, bot=bool(bundle.bot), can_act=bundle.can_act,
            blocked=bool(each.blocked), notify=bundle.notify, muted_until=bundle.muted_until,
            through_mute=chosen.mentions_through_mute, archived=bool(bundle.archived),
            paused_until=paused_until(chosen), quiet_until=quiet, presence=presence,
            read=bundle.read_seq >= each.seq, rang_at=bundle.rang_at,
        )  # fmt: skip
        verdict = judge(case, rules, CLOSING_ROWS)
        if verdict.ending is None:
            kept.append(each)
            due.append(verdict.due_at)
    if not kept:
        return None
    return Postponed(bundle, min(due)) if min(due) > now else _item(bundle, kept, reasons)


def _posted(tx: Transaction, bundle: Bundle, reasons: Mapping[int, Reason]) -> list[_Posted]:
    rows = tx.execute(
        "SELECT m.seq, m.key, m.sender, m.at, m.deleted_at IS NOT NULL, "
        "EXISTS (SELECT 1 FROM blocks b WHERE b.person = :person AND b.blocked = m.sender) FROM messages m "
        "WHERE m.conversation = :conversation AND m.seq IN (SELECT value FROM json_each(:seqs)) ORDER BY m.seq",
        {
            "person": bundle.person, "conversation": bundle.conversation,
            "seqs": json_array(reasons),
        },
    )  # fmt: skip
    return [_Posted(*row) for row in rows]


def _item(bundle: Bundle, kept: Sequence[_Posted], reasons: Mapping[int, Reason]) -> ItemDraft:
    """For the weightiest reason."""
    reason = reasons[max(kept, key=lambda each: (LEVEL[reasons[each.seq]], each.seq)).seq]
    forgotten = bundle.count - len(reasons) if bundle.read_seq < bundle.first_seq else 0  # of very many
    senders, several = {each.sender for each in kept}, len(kept) > 1
    return ItemDraft(
        person=bundle.person, kind=KIND[reason], reason=reason, personal=LEVEL[reason] == PERSONAL,
        count=len(kept) + max(0, forgotten), conversation=bundle.conversation,
        message=None if several else kept[0].key, messages=_by_reason(kept, reasons) if several else None,
        sender=kept[0].sender if len(senders) == 1 else None,
        first_seq=kept[0].seq, last_seq=kept[-1].seq, last_gid=bundle.last_gid,
    )  # fmt: skip


def _by_reason(kept: Sequence[_Posted], reasons: Mapping[int, Reason]) -> str:
    """As an item has its messages."""
    found: dict[Reason, list[int]] = {}
    for each in kept:
        found.setdefault(reasons[each.seq], []).append(each.seq)
    return orjson.dumps(found).decode()
