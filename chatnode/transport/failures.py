"""What a client is told when its request fails, whichever way it came."""

from __future__ import annotations

import secrets
import sys

from chatnode.errors import Refusal
from chatnode.hooks.guard import describe_error
from chatnode.logs import get_logger
from chatnode.protocol.envelopes import RequestId, UnusableOp, error_reply

logger = get_logger("requests")


def failed_reply(request_id: RequestId | None, error: Exception) -> bytes:
    """The reply to a request of a socket that raised `error`, to be called while that is handled.

    Not a coroutine around the request: that would be one more for every message.
    """
    if isinstance(error, UnusableOp):
        request_id = error.request_id
    return error_reply(request_id, error if isinstance(error, Refusal) else unexpected_refusal())


def unexpected_refusal() -> Refusal:
    """What a client is told of a fault of ours; the log has the rest, under the same reference."""
    reference = secrets.token_hex(4)
    error = sys.exception()
    where = f", {describe_error(error)}" if error is not None else ""
    logger.exception("a request failed unexpectedly (reference %s)%s", reference, where)
    return Refusal("internal", f"internal error; the node's log has details under {reference}")
