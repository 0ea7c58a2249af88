"""The node's own jobs."""

from __future__ import annotations

from typing import Annotated

import attrs

from chatnode.model.fields import Text


@attrs.define
class JobInfo:
    """A job of the node. Without `at`, it has not run yet; `every_seconds` 0 means only on request."""

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
class JobList:
    jobs: list[JobInfo]


@attrs.define
class RunJob:
    job: Annotated[str, Text(80, 1)]


@attrs.define
class JobReply:
    job: JobInfo
