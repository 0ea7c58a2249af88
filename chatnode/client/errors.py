"""What can go wrong for a client, beside a plain `Refusal` of one command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from chatnode.errors import STATUS, Refusal, StartError


class Unreachable(StartError):
    """There is no node at this address, or none that answers; the message says what was met instead."""


class SignedOut(Refusal):
    """The node ended this session for good: the token was revoked or has expired, or never was one.

    Nothing is tried again; sign in for a new token.
    """

    def __init__(self, message: str) -> None:
        super().__init__("unauthenticated", message)


class UnknownRefusal(Refusal):
    """A refusal with a code that this version does not know; `code` is the node's own."""

    def __init__(
        self, code: str, message: str, *, path: str | None, temporary: bool, retry_after: float | None
    ) -> None:
        super().__init__("internal", message, path=path, retry_after=retry_after)
        self.args = (f"{code}: {message}",)
        self.code = code
        self._temporary = temporary

    @property
    def status(self) -> int:
        return STATUS["internal"]

    @property
    def temporary(self) -> bool:
        return self._temporary


def refusal_of(error: object) -> Refusal:
    """The `error` part of a reply as a `Refusal`; whatever is wrong with it, it gives one."""
    values: Mapping[str, Any] = cast("Mapping[str, Any]", error) if isinstance(error, dict) else {}
    code, message, path = (values.get(key) for key in ("code", "message", "path"))
    retry_after = values.get("retry_after")
    code = code if isinstance(code, str) else "internal"
    message = message if isinstance(message, str) else "the node refused without a reason"
    path = path if isinstance(path, str) else None
    wait = float(retry_after) if isinstance(retry_after, int | float) else None
    if code in STATUS:
        return Refusal(code, message, path=path, retry_after=wait)
    return UnknownRefusal(code, message, path=path, temporary=values.get("temporary") is True, retry_after=wait)
