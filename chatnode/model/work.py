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
    """A work item. `kind` is `<plugin>.<name>`; without `owner`, it belongs to the plugin.

    `done` of `total` is its progress, in units of the plugin, and `rate` its recent progress per second. `total` is
    absent until it is known. `failures` counts failed attempts, `error` says why the last one failed. A waiting item
    starts no earlier than `not_before`. `result` is what a finished item returned.
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
