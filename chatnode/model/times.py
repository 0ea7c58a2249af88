"""Times: whole milliseconds since 1970 in UTC inside, RFC 3339 with milliseconds outside."""

from __future__ import annotations

import time
from datetime import datetime
from functools import lru_cache

DAY_MS = 86_400_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def rfc3339(ms: int) -> str:
    """`2026-11-21T10:17:06.042Z`; the form every `at` has on the wire."""
    seconds, rest = divmod(ms, 1000)
    return f"{_second(seconds)}.{rest:03d}Z"


def milliseconds(text: str) -> int:
    """The time that an RFC 3339 text names; raises `ValueError` when there is no such time."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@lru_cache(maxsize=4096)  # messages come in runs: a page or a busy second shares most of its text
def _second(seconds: int) -> str:
    moment = time.gmtime(seconds)
    return f"{moment.tm_year:04d}{time.strftime('-%m-%dT%H:%M:%S', moment)}"
