"""The reply to a request that failed, for every transport."""

from __future__ import annotations

import secrets
import sys

from chatnode.errors import Refusal
from chatnode.hooks.guard import describe_error
from chatnode.logs import get_logger
from chatnode.protocol.envelopes import RequestId, UnusableOp, error_reply

logger = get_logger("requests")


def failed_reply(request_id: RequestId | None, error: Exception) -> bytes:
    """The reply to a socket's request that raised `error`. Call it while handling the exception.

    A plain function, because a coroutine around each request would cost every message.
    """
    if isinstance(error, UnusableOp):
        request_id = error.request_id
    return error_reply(request_id, error if isinstance(error, Refusal) else unexpected_refusal())


def unexpected_refusal() -> Refusal:
    """The refusal for an internal error. The log has the details, under the same reference."""
    reference = secrets.token_hex(4)
    error = sys.exception()
    where = f", {describe_error(error)}" if error is not None else ""
    logger.exception("a request failed unexpectedly (reference %s)%s", reference, where)
    return Refusal("internal", f"internal error; the node's log has details under {reference}")
