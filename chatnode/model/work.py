"""Durable work: what plugins do for long, in the background."""

from __future__ import annotations

from typing import Any, Literal

from chatnode.model.people import PersonRef
from chatnode.model.records import record

WorkStatus = Literal["waiting", "running", "paused", "done", "failed", "cancelled"]
STATUSES: tuple[WorkStatus, ...] = ("waiting", "running", "paused", "done", "failed", "cancelled")
ENDED: tuple[WorkStatus, ...] = ("done", "failed", "cancelled")


@record
class WorkInfo:
    """A piece of work. `kind` is `<plugin>.<name>`; without `owner`, it is the plugin's own.

    `done` of `total` is its progress, in what the plugin counts, and `rate` how much of that it did per second of late.
    Without `total`, the whole is not known yet. `failures` counts attempts that failed, `error` says why the last did.
    A waiting work starts at `not_before` at the earliest, if given. `result` is what a work that is done has returned.
    """

    work: str
    kind: str
    title: str
    status: WorkStatus
    done: int
    created_at: str
    total: int | None = None
    rate: float | None = None
    owner: PersonRef | None = None
    failures: int = 0
    not_before: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    error: str | None = None
    result: dict[str, Any] | None = None
