"""What was tried, and the place in the log, stored in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from chatnode.api import Transaction, record
from chatnode_webhooks.outgoing import deliveries, endpoints
from chatnode_webhooks.outgoing.attempts import Attempt
from chatnode_webhooks.outgoing.deliveries import ReplayRange
from chatnode_webhooks.outgoing.endpoints import Endpoint
from chatnode_webhooks.outgoing.judging import judge
from chatnode_webhooks.outgoing.showing import record_changed

_JUDGED = ("state", "reason", "probes", "probe_at", "failing_since", "noticed_at", "notice", "sent_at", "failed_at")


@record(frozen=True)
class Done:
    """An event that was tried; without an `attempt` there was nothing left to send of it. `due_at` is when it was to be
    tried again, of one that had failed."""

    gid: int
    kind: str
    attempt: Attempt | None
    due_at: int | None


@record(frozen=True)
class Unsettled:
    """What is to be stored. `cursor`: all events up to this gid are done; `replay` says the same of a replay."""

    done: Sequence[Done]
    cursor: int
    replay: ReplayRange | None
    trim: bool


@record(frozen=True)
class Settled:
    """How things are then. `endpoint` is None if it was removed; `next_due`: when the next failed event is tried again,
    in milliseconds."""

    endpoint: Endpoint | None
    next_due: int | None = None


def store_outcomes(tx: Transaction, key: int, found: Unsettled) -> Settled:
    """Store what was tried. Commands may have changed the endpoint meanwhile: they win."""
    endpoint = endpoints.by_key(tx, key)
    if endpoint is None or endpoint.state == "removed":
        return Settled(None)
    tried = [(each.gid, each.kind, each.attempt) for each in found.done if each.attempt is not None]
    tried.sort(key=lambda each: each[2].at)
    failures = [each for each in tried if each[2].outcome != "sent"]
    failed = {gid for gid, _, _ in failures}
    deliveries.delivered(tx, key, ((each.gid, each.due_at) for each in found.done if each.gid not in failed))
    for gid, kind, attempt in failures:
        deliveries.failed(tx, key, gid, kind, attempt, ages=endpoint.state != "stalled")
    endpoints.advance(tx, key, found.cursor)
    if found.replay is not None:
        deliveries.advance_replay(tx, found.replay.key, found.replay.cursor)
    deliveries.record_attempts(tx, key, tried)
    if found.trim:
        deliveries.trim_attempts(tx, key)
    attempts = [attempt for _, _, attempt in tried]
    judged, notice = judge(endpoint, attempts, deliveries.outstanding(tx, key), tx.now)
    if notice is not None:  # sent by the board, which the event makes look at the endpoint
        judged = attrs.evolve(judged, notice=notice)
    if judged != endpoint:
        endpoints.change(tx, key, **{name: getattr(judged, name) for name in _JUDGED})
    if endpoint.state == "stalled" and judged.state == "active":
        deliveries.all_due(tx, key)
    if notice is not None:
        record_changed(tx, judged)
    return Settled(judged, deliveries.next_due_at(tx, key))
