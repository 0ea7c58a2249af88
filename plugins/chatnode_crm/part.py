"""What each part of the plugin adds to its declaration: the package of a part ends with its `PART`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from chatnode.api import Collection, Command, Consumer, EventKind, Limit, Metric, Route, Table, Task, WorkKind


@attrs.frozen(kw_only=True)
class Part:
    """One part's commands, events and so on, as in `Plugin`."""

    commands: Sequence[Command[Any, Any]] = ()
    events: Sequence[EventKind] = ()
    tables: Sequence[Table] = ()
    collections: Sequence[Collection] = ()
    consumers: Sequence[Consumer] = ()
    tasks: Sequence[Task] = ()
    works: Sequence[WorkKind] = ()
    routes: Sequence[Route] = ()
    metrics: Sequence[Metric] = ()
    limits: Sequence[Limit] = ()
