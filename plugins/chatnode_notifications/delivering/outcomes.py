"""What is stored of an attempt."""

from __future__ import annotations

from chatnode_notifications.delivering.judging import HeldDelivery, Ready, SettledDelivery
from chatnode_notifications.delivering.retrying import next_attempt
from chatnode_notifications.delivering.rows import DeliveryOutcome
from chatnode_notifications.transports.transport import SendResult

WORDS = ("sent", "retried", "failed", "bounced", "suppressed", "expired")
"""What the metrics call them."""


def outcome_of(ready: Ready, result: SendResult, now: int, chance: float) -> tuple[DeliveryOutcome, str]:
    """What to store, and the word for it; `chance` is where in the spread of the wait the next attempt lies."""
    key, why, status = ready.claimed.key, result.why or None, result.status
    match result.outcome:
        case "sent":
            return DeliveryOutcome(key, "sent", now, now, status, None), "sent"
        case "unneeded":
            return DeliveryOutcome(key, "suppressed", now, None, status, why), "suppressed"
        case "gone" | "rejected":
            return DeliveryOutcome(key, "bounced", now, None, status, why), "bounced"
        case "postponed":
            at = now + int(max(result.seconds, 1.0) * 1_000)
            return DeliveryOutcome(key, "pending", at, None, status, why, uncounted=True), "postponed"
        case "retry":
            at = next_attempt(ready.claimed.attempts, now, ready.alert.expires_at, result.seconds, chance)
            if at is None:
                return DeliveryOutcome(key, "failed", now, None, status, why), "failed"
            return DeliveryOutcome(key, "pending", at, None, status, why), "retried"


def settled_outcome(each: SettledDelivery, now: int) -> DeliveryOutcome:
    """Of one that was not sent."""
    return DeliveryOutcome(each.claimed.key, each.state, now, None, None, each.why, uncounted=True)


def held_outcome(each: HeldDelivery) -> DeliveryOutcome:
    """Of one that waits without an attempt."""
    return DeliveryOutcome(each.claimed.key, "pending", each.until, None, None, each.why, uncounted=True)
