"""Why a request did not get an answer."""

from __future__ import annotations

from chatnode.errors import Carried


class OutboundError(Carried):
    """`why` is for people: a verdict and an origin, never a path, a query, a header or a body."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Blocked(OutboundError):
    """The node's rules forbid it. It is final: the same request will be refused again."""


class Failed(OutboundError):
    """It failed in a way that may pass: the host is unknown or does not answer, or breaks the protocol."""


class TimedOut(Failed):
    """It took too long: to connect, to begin the answer, or in all."""


class BodyTooLarge(Failed):
    """The answer is longer than its purpose allows."""


class Unwanted(Failed):
    """The answer has a type that its purpose does not take, or is compressed."""


class Paused(Failed):
    """The origin is left alone for now, as it failed or asked for it, or too many requests wait for it; the request was
    not sent. `seconds`: how long."""

    def __init__(self, why: str, seconds: float) -> None:
        super().__init__(why)
        self.seconds = seconds
