"""A plugin that is made of parts, each in a package of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from chatnode.dispatch.table import Command
from chatnode.hooks.plugin import Consumer, Limit, Metric, Page, Task
from chatnode.hooks.routes import Route
from chatnode.hooks.slash import Slash
from chatnode.hooks.work import WorkKind
from chatnode.model.events import Event
from chatnode.model.records import record
from chatnode.storage.engine.additions import EventKind, Table
from chatnode.storage.filters.collection import Collection


@record(frozen=True, kw_only=True)
class Part:
    """One part's commands, events and so on, as in `Plugin`."""

    commands: Sequence[Command[Any, Any]] = ()
    events: Sequence[EventKind] = ()
    ephemeral: Sequence[type[Event]] = ()
    tables: Sequence[Table] = ()
    collections: Sequence[Collection] = ()
    consumers: Sequence[Consumer] = ()
    tasks: Sequence[Task] = ()
    works: Sequence[WorkKind] = ()
    slash: Sequence[Slash] = ()
    routes: Sequence[Route] = ()
    pages: Sequence[Page] = ()
    metrics: Sequence[Metric] = ()
    limits: Sequence[Limit] = ()


def joined(parts: Iterable[Part]) -> dict[str, Any]:
    """What the parts add together, as arguments of `Plugin`."""
    found: dict[str, list[Any]] = {field.name: [] for field in attrs.fields(Part)}
    for part in parts:
        for name, added in found.items():
            added.extend(getattr(part, name))
    return found
