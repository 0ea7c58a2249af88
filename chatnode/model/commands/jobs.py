"""The node's own jobs."""

from __future__ import annotations

from typing import Annotated

from chatnode.model.fields import Text
from chatnode.model.records import record


@record
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


@record
class JobList:
    jobs: list[JobInfo]


@record
class RunJob:
    job: Annotated[str, Text(80, 1)]


@record
class JobReply:
    job: JobInfo
