"""Durable work, as its owner and operators see it."""

from __future__ import annotations

from typing import Annotated

from chatnode.model.fields import Id, Limit, Seq, Text
from chatnode.model.records import record
from chatnode.model.work import WorkInfo, WorkStatus


@record
class ListWork:
    """Only work items with this status or of this kind. `before` takes the `next` of the previous page."""

    status: WorkStatus | None = None
    kind: Annotated[str, Text(120, 1)] | None = None
    before: Seq | None = None
    limit: Limit = 50


@record
class WorkPage:
    """Newest first; `next` is absent after the last."""

    works: list[WorkInfo]
    next: int | None = None


@record
class OfWork:
    work: Id


@record
class WorkReply:
    work: WorkInfo
