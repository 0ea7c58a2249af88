"""Subjects: the parts of the core, each declared in one object, like a plugin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import attrs

from chatnode.dispatch.jobs import Job
from chatnode.dispatch.table import Command
from chatnode.model.events import Event
from chatnode.model.records import record
from chatnode.storage.engine.additions import Additions, CoreTable, Derived, EventKind, Problems
from chatnode.storage.filters.collection import Collection


@record(frozen=True, kw_only=True)
class Subject:
    """Everything that a subject of the core adds to a node, as `Plugin` does for a plugin.

    `ephemeral` are events that are pushed to live sessions and are not in the log.
    """

    commands: Sequence[Command[Any, Any]] = ()
    events: Sequence[EventKind] = ()
    ephemeral: Sequence[type[Event]] = ()
    tables: Sequence[CoreTable] = ()
    checks: Mapping[str, Problems] = attrs.field(factory=dict[str, Problems])
    derived: Mapping[str, Derived] = attrs.field(factory=dict[str, Derived])
    collections: Sequence[Collection] = ()
    jobs: Sequence[Job] = ()


def additions_of(subjects: Iterable[Subject]) -> Additions:
    """What storage needs from the subjects. Raises `ValueError` if two declare the same name."""
    subjects = tuple(subjects)
    events = [(kind.event.name, kind) for each in subjects for kind in each.events]
    refuse_twice(
        "event", chain((name for name, _ in events), (kind.name for each in subjects for kind in each.ephemeral))
    )
    tables = [table for each in subjects for table in each.tables]
    refuse_twice("table", (table.name for table in tables))
    refuse_twice("check", (name for each in subjects for name in (*each.checks, *each.derived)))
    checks = {name: check for each in subjects for name, check in each.checks.items()}
    derived = {name: what for each in subjects for name, what in each.derived.items()}
    return Additions(events=dict(events), tables=tables, checks=checks, derived=derived)


def refuse_twice(what: str, names: Iterable[str]) -> None:
    """Raises `ValueError` for a duplicate name."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"the {what} {name} is declared twice")
        seen.add(name)
