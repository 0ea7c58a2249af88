"""Why a user was notified of a message, or was not: the table, row by row, for oneself."""

from __future__ import annotations

from functools import partial
from typing import Any

import attrs

from chatnode.api import (
    CHAT,
    Account,
    Context,
    Reader,
    access_message,
    command,
    now_ms,
    person_by_key,
    record,
    rfc3339,
    rfc3339_or_none,
)
from chatnode_notifications.deciding.judging import ask_plugins, paused_until
from chatnode_notifications.deciding.looking import REACHABLE
from chatnode_notifications.deciding.model import (
    ExplainedDelivery,
    ExplainedRow,
    ExplainNotification,
    Explanation,
    Outcome,
)
from chatnode_notifications.deciding.proposal import Hold, Quiet
from chatnode_notifications.deciding.quiet import quiet_until
from chatnode_notifications.deciding.rules import presence_of, rules_of
from chatnode_notifications.deciding.table import LEVEL, PERSONAL, REASON_ROW, ROWS, Case, NodeRules, judge, reason_of
from chatnode_notifications.preferences.model import Preferences
from chatnode_notifications.preferences.stored import preferences_of_one


@record(frozen=True)
class _Facts:
    """Of a message and the user who asks. `item` is the key of the notification that tells of it, `waits_until` when
    one is due."""

    conversation: int
    seq: int
    at: int
    own: bool
    deleted: bool
    system: bool
    direct: bool
    mentioned: bool
    everyone: bool
    reply: bool
    thread: bool
    blocked: bool
    notify: Any
    muted_until: int | None
    archived: bool
    read: bool
    rang_at: int | None
    item: int | None
    waits_until: int | None
    devices: int
    reachable: bool
    sender: int


@command("notifications.explain", permission=CHAT, reads=True)
async def explain(ctx: Context, asked: ExplainNotification) -> Explanation:
    """Why you were notified of a message, or were not: the rows of the decision table, each with whether it matches.

    It is judged by your settings and connections as they are now.
    """
    facts, chosen, imported, deliveries = await ctx.query(partial(_read, account=ctx.me, message=asked.message))
    now, rules = now_ms(), rules_of(ctx)
    reason = reason_of(
        direct=facts.direct, mentioned=facts.mentioned, everyone=facts.everyone, reply=facts.reply,
        thread=facts.thread, system=facts.system, replies=chosen.replies, threads=chosen.threads,
    )  # fmt: skip
    case = Case(
        now=now, at=now, reason=reason, made_at=now, deleted=facts.deleted, own=facts.own, bot=ctx.me.bot,
        blocked=facts.blocked, imported=imported, notify=facts.notify, muted_until=facts.muted_until,
        through_mute=chosen.mentions_through_mute, archived=facts.archived, paused_until=paused_until(chosen),
        quiet_until=quiet_until(chosen.quiet, chosen.zone, now), presence=presence_of(ctx, ctx.me.key, now),
        read=facts.read, rang_at=facts.rang_at,
    )  # fmt: skip
    why = ""
    if judge(case, rules).ending is None:
        answer = await ask_plugins(ctx, ctx.me.key, facts.conversation, facts.seq, reason)
        if isinstance(answer, Quiet):
            case, why = attrs.evolve(case, quieted=True), answer.reason
        elif isinstance(answer, Hold):
            case = attrs.evolve(case, held_until=answer.until)
    return _explained(facts, case, rules, chosen, deliveries, why)


def _explained(
    facts: _Facts, case: Case, rules: NodeRules, chosen: Preferences, deliveries: list[ExplainedDelivery], why: str
) -> Explanation:
    verdict = judge(case, rules)
    due_at = verdict.due_at if verdict.ending is None else None
    outcome: Outcome = verdict.ending or ("due" if facts.reachable or case.personal else "unreachable")
    if facts.item is not None:
        outcome, due_at = "notified", None
    elif facts.waits_until is not None:
        outcome, due_at = "waiting", facts.waits_until
    return Explanation(
        outcome, case.reason, LEVEL[case.reason] == PERSONAL, _rows(case, rules, why), facts.devices, chosen.mail,
        deliveries, verdict.row or None, rfc3339_or_none(due_at),
    )  # fmt: skip


def _rows(case: Case, rules: NodeRules, why: str) -> list[ExplainedRow]:
    """All rows, in their order: also those after the one that ends the matter."""
    found: list[ExplainedRow] = []
    for row in ROWS:
        said = row.judge(case, rules)
        effect = said if isinstance(said, str) else None
        until = rfc3339(said) if isinstance(said, int) and said > case.now else None
        condition = f"{row.condition}: {why}" if row.number == 9 and why else row.condition
        found.append(ExplainedRow(row.number, condition, effect is not None or until is not None, effect, until))
    found.append(ExplainedRow(REASON_ROW, f"why it matters to you: {case.reason}", True))
    return sorted(found, key=lambda each: each.row)


# ---- facts

_FACTS = (
    "SELECT m.conversation, m.seq, m.at, m.sender = :me, m.deleted_at IS NOT NULL, m.kind = 'system', "  # noqa: S608
    "c.kind = 'direct', "
    "EXISTS (SELECT 1 FROM mentions n WHERE n.person = :me AND n.conversation = m.conversation AND n.seq = m.seq), "
    "EXISTS (SELECT 1 FROM mentions n WHERE n.person = 0 AND n.conversation = m.conversation AND n.seq = m.seq), "
    "EXISTS (SELECT 1 FROM messages a WHERE a.id = m.reply_to AND a.sender = :me), "
    "m.thread IS NOT NULL AND (EXISTS (SELECT 1 FROM messages t WHERE t.conversation = m.conversation "
    "AND t.seq = m.thread AND t.sender = :me) OR EXISTS (SELECT 1 FROM messages t "
    "WHERE t.conversation = m.conversation AND t.thread = m.thread AND t.sender = :me)), "
    "EXISTS (SELECT 1 FROM blocks b WHERE b.person = :me AND b.blocked = m.sender), "
    "coalesce(s.notify, 'all'), s.muted_until, coalesce(s.archived, 0) = 1, w.read_seq >= m.seq, "
    "(SELECT max(i.created_at) FROM notifications_items i WHERE i.person = :me AND i.conversation = m.conversation "
    "AND i.last_seq < m.seq), "
    "(SELECT max(i.key) FROM notifications_items i WHERE i.person = :me AND i.conversation = m.conversation "
    "AND i.first_seq <= m.seq AND i.last_seq >= m.seq), "
    "(SELECT b.due_at FROM notifications_bundles b WHERE b.person = :me AND b.conversation = m.conversation "
    "AND b.first_seq <= m.seq AND b.last_seq >= m.seq), "
    "(SELECT count(*) FROM notifications_registrations r WHERE r.person = :me AND r.state IN ('active', 'failing')), "
    f"{REACHABLE.format(':me')}, m.sender "
    "FROM messages m JOIN conversations c ON c.key = m.conversation "
    "JOIN members w ON w.conversation = m.conversation AND w.person = :me "
    "LEFT JOIN conversation_settings s ON s.person = :me AND s.conversation = m.conversation WHERE m.id = :message"
)


def _read(reader: Reader, account: Account, message: str) -> tuple[_Facts, Preferences, bool, list[ExplainedDelivery]]:
    """Raises `Refusal` for a message that the user may not see."""
    access_message(reader, account, message)
    facts = _Facts(*reader.execute(_FACTS, {"me": account.key, "message": message}).fetchone())
    imported = person_by_key(reader, facts.sender).imported
    return facts, preferences_of_one(reader, account.key), imported, _deliveries(reader, facts.item)


def _deliveries(reader: Reader, item: int | None) -> list[ExplainedDelivery]:
    rows = reader.execute(
        "SELECT coalesce(r.label, ''), coalesce(r.transport, ''), d.state, d.attempts, d.error "
        "FROM notifications_deliveries d LEFT JOIN notifications_registrations r ON r.key = d.registration "
        "WHERE d.item = ? ORDER BY d.key",
        (item,),
    )
    return [ExplainedDelivery(*row) for row in rows]


COMMANDS = (explain,)
