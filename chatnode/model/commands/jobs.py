"""The node's own jobs."""

from __future__ import annotations

from typing import Annotated

import attrs

from chatnode.model.fields import Text


@attrs.define
class JobInfo:
    """What the node does by itself. Without `at` it did not run yet; `every_seconds` 0 is never by itself."""

    name: str
    every_seconds: float
    running: bool
    at: str | None = None
    seconds: float | None = None
    ok: bool | None = None
    result: str | None = None
    runs: int = 0
    failures: int = 0


@attrs.define
class JobsGiven:
    jobs: list[JobInfo]


@attrs.define
class RunJob:
    job: Annotated[str, Text(80, 1)]


@attrs.define
class JobGiven:
    job: JobInfo
