"""What a program is answered, in Slack's words: a line of text, whose first word is for programs."""

from __future__ import annotations

from math import ceil

from chatnode.api import Refusal, Response
from chatnode_webhooks.incoming.payload import PayloadFault

MESSAGE = "Chatnode-Message"
"""The header field with the id of the message that was posted."""

_FIELDS = {"thread": "thread_ts"}
"""What fields of a message are called in a payload."""
_OF_CONVERSATION = ("conversation", "person", None)


def accepted(message: str | None) -> Response:
    """What was posted is on disk, as a message if it was for all."""
    return Response("ok", headers={} if message is None else {MESSAGE: message})


def not_found() -> Response:
    return Response("no_service: no such webhook; it may have been removed", 404)


def not_signed() -> Response:
    return Response("invalid_token: the post is not signed with the webhook's secret, or too old", 403)


def too_many(wait_seconds: float) -> Response:
    return Response("rate_limited: try again later", 429, headers=_retry_after(wait_seconds))


def expired(why: str) -> Response:
    """The answer to an invocation comes too late, or is one too many."""
    return Response(f"expired_url: {why}", 410)


def invalid(fault: PayloadFault) -> Response:
    word = "no_text" if fault.is_nothing else "invalid_payload"
    return Response(f"{word}: {fault}", 400)


def refused(refusal: Refusal) -> Response:
    """The answer to a post that the node does not take. What it says names no user and no conversation."""
    match refusal.code:
        case "rate_limited":
            return too_many(refusal.retry_after or 1)
        case "unavailable":
            retry = _retry_after(refusal.retry_after or 5)
            return Response("rollup_error: the node cannot take messages now", 503, headers=retry)
        case "closed":
            return Response("channel_is_archived: the conversation was closed", 410)
        case "conflict":
            return Response("invalid_payload: this id was used for another message", 409)
        case "internal":
            return Response("rollup_error: the node failed", 500)
        case "too_large" if refusal.path is None:
            return Response(f"invalid_payload: the body: {refusal.message}", 413)
        case "not_found" | "invalid" | "too_large" if refusal.path not in _OF_CONVERSATION:
            place = _FIELDS.get(refusal.path or "", refusal.path)
            return Response(f"invalid_payload: {place}: {refusal.message}", 400)
        case _:
            return Response("action_prohibited: the webhook is not, or is no longer, allowed to post this", 403)


def _retry_after(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(max(1, ceil(seconds)))}
