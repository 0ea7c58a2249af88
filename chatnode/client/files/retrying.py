"""What an answer that is no success means, and whether to try again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from chatnode.client.errors import SignedOut, refusal_of
from chatnode.concurrency import Backoff
from chatnode.errors import Refusal
from chatnode.protocol import codec

_TEMPORARY = frozenset((408, 409, 423, 425, 429, 460))
"""Besides everything from 500 on: too late, or in the way of another request, or spoiled on its way."""
_CODES = {
    401: "unauthenticated", 403: "forbidden", 404: "not_found", 409: "conflict", 410: "gone", 413: "too_large",
    423: "conflict", 429: "rate_limited", 500: "internal",
}  # fmt: skip


class TryAgain(Exception):
    """The node refused for now."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def failure_of(url: str, status: int, headers: Mapping[str, str], body: bytes) -> Refusal | TryAgain:
    """What to raise for an answer with this status; its words are the node's, if it is a node's."""
    refusal = _refusal(url, status, headers, body)
    return TryAgain(refusal) if status >= 500 or status in _TEMPORARY else refusal


def is_of_node(body: bytes) -> bool:
    """Whether a refusal is a node's, and not of a proxy before it."""
    return _error(body) is not None


def _refusal(url: str, status: int, headers: Mapping[str, str], body: bytes) -> Refusal:
    error = _error(body)
    wait = _seconds(headers.get("retry-after", ""))
    if error is None:
        code = _CODES.get(status, "unavailable" if status >= 500 else "invalid")
        refusal = Refusal(code, f"{url} answers with status {status}", retry_after=wait)
    else:
        refusal = refusal_of(error)
        refusal.retry_after = wait if refusal.retry_after is None else refusal.retry_after
    return SignedOut(refusal.message) if status == 401 else refusal


def _error(body: bytes) -> object:
    try:
        value: Any = codec.decode(body)
    except Refusal:
        return None
    return cast("dict[str, Any]", value).get("error") if isinstance(value, dict) else None


def _seconds(text: str) -> float | None:
    return min(float(text), 3600.0) if text.isascii() and text.isdecimal() else None


class Retries:
    """Waits that grow while nothing moves. `clock` is in seconds.

    What counts is the time since the first failure after which nothing moved on: a transfer that advances, however
    slowly, is never given up.
    """

    def __init__(self, patience: float, clock: Callable[[], float]) -> None:
        self._patience = patience
        self._clock = clock
        self._backoff = Backoff(most=20.0)
        self._failing_since: float | None = None

    def advanced(self) -> None:
        """The node has more than before."""
        self._failing_since = None
        self._backoff.reset()

    def wait_after(self, error: Exception) -> float:
        """Seconds to wait before the next try. Raises what went wrong when it is time to give up."""
        now = self._clock()
        if self._failing_since is None:
            self._failing_since = now
        reason = error.refusal if isinstance(error, TryAgain) else error
        if now - self._failing_since >= self._patience:
            raise reason from None
        return self._backoff.next_wait((isinstance(reason, Refusal) and reason.retry_after) or 0.0)
