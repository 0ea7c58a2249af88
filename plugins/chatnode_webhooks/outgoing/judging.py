"""What attempts mean for an endpoint: whether it is stalled or disabled, and what to notify people of."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from chatnode.api import DAY_MS
from chatnode_webhooks.outgoing.attempts import Attempt
from chatnode_webhooks.outgoing.endpoints import Endpoint, Notice
from chatnode_webhooks.outgoing.schedule import next_probe

MOST_OUTSTANDING = 100
"""Number of failed events that stall an endpoint that is failing."""
NOTICE_MS = DAY_MS
"""How long an endpoint fails before people are notified."""
DISABLE_MS = 5 * DAY_MS
"""How long it fails before it is disabled,"""
GRACE_MS = DAY_MS // 2
"""and how long after the notice at the earliest."""


def judge(
    endpoint: Endpoint, attempts: Iterable[Attempt], outstanding: int, now: int
) -> tuple[Endpoint, Notice | None]:
    """The endpoint after attempts, in the order in which they ended, and what to tell the people in charge of it.

    `outstanding`: how many failed events are to be tried again. Of a paused or disabled endpoint only the figures
    change.
    """
    for each in attempts:
        endpoint = _after(endpoint, each)
        if each.outcome == "gone" and endpoint.runs:
            gone = "the receiver answered 410 Gone"
            return attrs.evolve(endpoint, state="disabled", reason=gone), "disabled"
    since = endpoint.failing_since
    if since is None or not endpoint.runs:
        return endpoint, None
    if endpoint.state == "active" and outstanding >= MOST_OUTSTANDING:
        endpoint = attrs.evolve(endpoint, state="stalled", probes=0, probe_at=next_probe(now, 0))
    failing = now - since
    if endpoint.noticed_at is None:
        if failing < NOTICE_MS:
            return endpoint, None
        return attrs.evolve(endpoint, noticed_at=now), "failing"
    if failing < DISABLE_MS or now - endpoint.noticed_at < GRACE_MS:
        return endpoint, None
    why = f"every attempt failed for {failing // DAY_MS} days"
    return attrs.evolve(endpoint, state="disabled", reason=why), "disabled"


def _after(endpoint: Endpoint, attempt: Attempt) -> Endpoint:
    if attempt.outcome == "sent":
        return attrs.evolve(
            endpoint, state="active" if endpoint.state == "stalled" else endpoint.state, probes=0, probe_at=None,
            failing_since=None, noticed_at=None, notice=None, sent_at=attempt.at,
        )  # fmt: skip
    failed = attrs.evolve(endpoint, failing_since=endpoint.failing_since or attempt.at, failed_at=attempt.at)
    if endpoint.state != "stalled":
        return failed
    probes = endpoint.probes + 1
    return attrs.evolve(failed, probes=probes, probe_at=next_probe(attempt.at, probes, attempt.wait))
