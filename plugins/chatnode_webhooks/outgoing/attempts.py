"""What became of posting an event once."""

from __future__ import annotations

from typing import Literal

import attrs

from chatnode.api import record

Outcome = Literal["sent", "failed", "gone", "held"]


@record(frozen=True)
class Attempt:
    """`sent`: the receiver answered 2xx. `gone`: it wants nothing more (410). `held`: nothing was sent, as the node
    leaves the host alone for `wait` seconds. `failed`: everything else; `wait` is what the receiver asked for.

    `at` is when it ended, in milliseconds, `ms` how long it took. `error` is one line for people; of one that was sent
    it says what was wrong with the answer. `answer` is the beginning of a failed attempt's answer, `body` is all of the
    answer to one that was sent, and is not stored.
    """

    outcome: Outcome
    at: int
    ms: int
    status: int | None = None
    error: str | None = None
    answer: str | None = None
    wait: float | None = None
    body: bytes = attrs.field(default=b"", repr=False)
