"""What happened to a contact, newest first: changes and notes, and what other parts of the plugin tell, such as lists.

`chatnode_crm/__init__.py` names the other sources, because this package knows nothing of the other parts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from chatnode.api import Querying, record

NEWEST = (2**62, 0, 0)


@record(frozen=True)
class TimelineEntry:
    """One entry. `data` is shown as it is; `actor` is the key of a user. `key` tells entries of one source and time
    apart, and rises with time."""

    at: int
    key: int
    kind: str
    data: dict[str, Any]
    actor: int | None = None


Source = Callable[[Querying, int, int, int, int], Sequence[TimelineEntry]]
"""Takes a contact, a time, a key and a limit. Returns the newest entries before that, newest first: those with
`(at, key)` less than the given ones. Keys of contacts, users and so on are for lookups and must not be in `data`."""

Place = tuple[int, int, int]
"""Time, number of the source and key of an entry: the order of the timeline."""

_others: tuple[Source, ...] = ()


def also_in_timeline(sources: Sequence[Source]) -> None:
    """Add these to the timeline. Part of the declaration: called once, on import."""
    global _others
    _others = tuple(sources)


def page(reader: Querying, contact: int, before: Place, most: int) -> list[tuple[Place, TimelineEntry]]:
    """Up to `most` entries from before a place, newest first, each with its own."""
    at, number, key = before
    found: list[tuple[Place, TimelineEntry]] = []
    for each, source in enumerate((_changes, _notes, *_others)):
        # Of one time, entries of sources with higher numbers come first.
        below = (at, key) if each == number else (at, 2**62) if each < number else (at, 0)
        found += [((entry.at, each, entry.key), entry) for entry in source(reader, contact, *below, most)]
    found.sort(key=lambda one: one[0], reverse=True)
    return found[:most]


def _changes(reader: Querying, contact: int, at: int, key: int, most: int) -> list[TimelineEntry]:
    rows = reader.execute(
        "SELECT at, gid, before, after, actor FROM crm_changes WHERE contact = ? AND (at, gid) < (?, ?) "
        "AND after IS NOT NULL ORDER BY at DESC, gid DESC LIMIT ?",
        (contact, at, key, most),
    ).fetchall()
    entries = [
        TimelineEntry(at, gid, "changed", {"before": orjson.loads(before), "after": orjson.loads(after)}, actor)
        for at, gid, before, after, actor in rows
    ]
    made = reader.execute(
        "SELECT created_at, source, created_by FROM crm_contacts WHERE key = ? AND (created_at, 0) < (?, ?)",
        (contact, at, key),
    ).fetchone()
    if made is not None and len(entries) < most:
        entries.append(TimelineEntry(made[0], 0, "created", {"source": made[1]}, made[2]))
    return entries


def _notes(reader: Querying, contact: int, at: int, key: int, most: int) -> list[TimelineEntry]:
    rows = reader.execute(
        "SELECT at, key, id, text, author FROM crm_notes WHERE contact = ? AND (at, key) < (?, ?) "
        "ORDER BY at DESC, key DESC LIMIT ?",
        (contact, at, key, most),
    ).fetchall()
    return [TimelineEntry(at, key, "note", {"note": id, "text": text}, author) for at, key, id, text, author in rows]
