"""What answers and failures of other servers mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chatnode.api import Blocked, Context, OutboundAnswer, OutboundError, Paused, Purpose, read_retry_after
from chatnode_notifications.transports.transport import SendResult

MOST_RETRY_AFTER = 86_400.0
"""Seconds. A notification is not kept for longer."""


async def post(
    ctx: Context,
    purpose: Purpose,
    url: str,
    headers: Sequence[tuple[str, str]],
    body: bytes,
    judge: Callable[[OutboundAnswer], SendResult],
) -> SendResult:
    """Send a request, and say what became of it; `judge` gets the answer, if there is one."""
    try:
        answer = await ctx.outbound.request(purpose, "POST", url, headers=headers, body=body)
    except Blocked as error:
        return SendResult("rejected", error.why)
    except Paused as error:
        return SendResult("postponed", error.why, seconds=error.seconds)
    except OutboundError as error:
        return SendResult("retry", error.why)
    return judge(answer)


def later(answer: OutboundAnswer, why: str = "") -> SendResult:
    """To be tried again, not before the server allows it."""
    return SendResult("retry", why or f"the server answered {answer.status}", answer.status, retry_after(answer))


def sent(answer: OutboundAnswer) -> SendResult:
    """The other side has it."""
    return SendResult("sent", status=answer.status)


def gone(answer: OutboundAnswer) -> SendResult:
    """The address is no more."""
    return SendResult("gone", f"the server answered {answer.status}: the address no longer exists", answer.status)


def rejected(answer: OutboundAnswer, why: str = "") -> SendResult:
    """It will never be taken."""
    return SendResult("rejected", why or f"the server answered {answer.status}", answer.status)


def retry_after(answer: OutboundAnswer) -> float:
    """Seconds that the server asks to wait; 0 if it does not say."""
    return read_retry_after(answer.headers.get("retry-after", ""), MOST_RETRY_AFTER) or 0.0
