"""Durable work, as its owner and operators see it."""

from __future__ import annotations

from typing import Annotated

import attrs

from chatnode.model.fields import Id, Limit, Seq, Text
from chatnode.model.work import WorkInfo, WorkStatus


@attrs.define
class ListWork:
    """Only the works with this status or of this kind. `before` is the `next` of the page before."""

    status: WorkStatus | None = None
    kind: Annotated[str, Text(120, 1)] | None = None
    before: Seq | None = None
    limit: Limit = 50


@attrs.define
class WorkPage:
    """Newest first; `next` is absent after the last."""

    works: list[WorkInfo]
    next: int | None = None


@attrs.define
class OfWork:
    work: Id


@attrs.define
class WorkReply:
    work: WorkInfo
