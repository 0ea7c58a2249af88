"""One attempt to post an event to an endpoint."""

from __future__ import annotations

import trio

from chatnode.api import (
    Blocked,
    BodyTooLarge,
    Context,
    OutboundAnswer,
    OutboundError,
    Paused,
    Purpose,
    TimedOut,
    now_ms,
    read_retry_after,
    webhook_headers,
)
from chatnode_webhooks.outgoing.attempts import Attempt
from chatnode_webhooks.outgoing.endpoints import Endpoint
from chatnode_webhooks.outgoing.schedule import MOST_WAIT

PURPOSE = Purpose("webhook", https_only=True, redirects=0, seconds=15.0, most_bytes=16_384, at_a_time=64)
KEPT_BYTES = 200
"""Of the answer to a failed attempt."""
_GONE = 410


async def send(ctx: Context, endpoint: Endpoint, id: str, body: bytes) -> Attempt:
    """Sign and post `body`. Raises nothing that the receiver or the network may cause."""
    began, now = trio.current_time(), now_ms()
    headers = [
        ("content-type", "application/json"),
        ("user-agent", "chatnode"),
        *webhook_headers(endpoint.secrets(now), id, now // 1000, body),
    ]
    try:
        answer = await ctx.outbound.request(PURPOSE, "POST", endpoint.url, headers=headers, body=body)
    except Paused as paused:
        return Attempt("held", now_ms(), 0, error=paused.why, wait=paused.seconds)
    except OutboundError as error:
        return Attempt("failed", now_ms(), _since(began), error=f"{_word(error)}: {error.why}")
    return _judged(answer, _since(began))


def _judged(answer: OutboundAnswer, ms: int) -> Attempt:
    status = answer.status
    if 200 <= status < 300:
        return Attempt("sent", now_ms(), ms, status, body=answer.body)
    text = answer.body[:KEPT_BYTES].decode(errors="replace") or None
    wait = read_retry_after(answer.headers.get("retry-after", ""), MOST_WAIT)
    return Attempt("gone" if status == _GONE else "failed", now_ms(), ms, status, f"answered {status}", text, wait)


def _word(error: OutboundError) -> str:
    match error:
        case Blocked():
            return "not allowed"
        case TimedOut():
            return "timed out"
        case BodyTooLarge():
            return "answer too large"
        case _:
            return "failed"


def _since(began: float) -> int:
    return round((trio.current_time() - began) * 1000)
