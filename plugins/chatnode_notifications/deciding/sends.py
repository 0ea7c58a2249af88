"""Handing over what `notifications.send` was given, unless the user has paused or has quiet hours."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import attrs

from chatnode.api import Transaction, acting, json_array, record
from chatnode_notifications.deciding.judging import DEFAULTS, paused_until
from chatnode_notifications.deciding.quiet import quiet_until
from chatnode_notifications.deciding.table import CLOSING_ROWS, Case, NodeRules, Presence, judge
from chatnode_notifications.items.adding import hand_over, show_again
from chatnode_notifications.notes import NewItem
from chatnode_notifications.preferences.stored import preferences_of

_LATE_MS = 60_000
"""An item that waited for longer is shown as new again."""


@record(frozen=True)
class _Sent:
    key: int
    person: int
    created_at: int
    read: bool = attrs.field(converter=bool)


def close(tx: Transaction, keys: Collection[int], presence: Mapping[int, Presence], rules: NodeRules, now: int) -> None:
    """Hand over those that may alert now. What was read meanwhile is not handed over at all."""
    rows: Sequence[Any] = tx.execute(
        "SELECT i.key, i.person, i.created_at, i.read_at IS NOT NULL FROM notifications_items i "
        "WHERE i.key IN (SELECT value FROM json_each(?)) AND i.due_at IS NOT NULL ORDER BY i.key",
        (json_array(keys),),
    ).fetchall()
    found = [_Sent(*row) for row in rows]
    people = {each.person for each in found}
    chosen, able = preferences_of(tx, people), acting(tx, people)
    ready: list[NewItem] = []
    for each in found:
        own = chosen.get(each.person, DEFAULTS)
        case = Case(
            now=now, at=each.created_at, reason="direct", made_at=each.created_at, can_act=each.person in able,
            read=each.read, paused_until=paused_until(own), presence=presence.get(each.person, "away"),
            quiet_until=quiet_until(own.quiet, own.zone, now) if own.quiet else None,
        )  # fmt: skip
        verdict = judge(case, rules, CLOSING_ROWS)
        wait = verdict.ending is None and verdict.due_at > now
        tx.execute(
            "UPDATE notifications_items SET due_at = ? WHERE key = ?", (verdict.due_at if wait else None, each.key)
        )
        if verdict.ending is None and not wait:
            if each.created_at < tx.now - _LATE_MS:
                show_again(tx, each.key, each.person)
            ready.append(NewItem(each.key, each.person, None, True, tx.now))
    hand_over(tx, ready)
