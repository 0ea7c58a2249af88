"""What must hold of the tables: what is derived is what it is derived from, and what excludes each other does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson

from chatnode.api import Reader
from chatnode_contacts import words

MOST = 20
"""Problems that are told."""


def check(reader: Reader, _: Path) -> list[str]:
    """A line for each problem."""
    return [line for line, _ in zip(_problems(reader), range(MOST), strict=False)]


def _problems(reader: Reader) -> Iterator[str]:
    yield from _words(reader)
    yield from _labels(reader)
    yield from _removed(reader)


def _words(reader: Reader) -> Iterator[str]:
    rows = reader.execute(
        "SELECT e.key, p.name, p.handle, e.nickname, e.number, e.sort_name, e.called, e.words "
        "FROM contacts_entries e JOIN people p ON p.key = e.contact WHERE p.erased_at IS NULL"
    )
    for key, name, handle, nickname, number, *found in rows:
        derived = [words.sort_name(nickname, name), words.called(name, handle), words.own_words(nickname, number)]
        if found != derived:
            yield f"entry {key} has sort or search words that are out of date"


def _labels(reader: Reader) -> Iterator[str]:
    rows = reader.execute(
        "SELECT e.key, e.groups, e.tags, "
        "(SELECT json_group_array(json_array(l.kind, l.name, l.folded)) FROM contacts_labels l "
        "WHERE l.owner = e.owner AND l.contact = e.contact) FROM contacts_entries e "
        "WHERE e.groups IS NOT NULL OR e.tags IS NOT NULL "
        "OR EXISTS (SELECT 1 FROM contacts_labels l WHERE l.owner = e.owner AND l.contact = e.contact)"
    )
    for key, groups, tags, labels in rows:
        held = [("group", name) for name in _names(groups)] + [("tag", name) for name in _names(tags)]
        wanted = sorted([kind, name, folded] for kind, name in held for folded in words.listed([name]))
        if sorted(orjson.loads(labels)) != wanted:
            yield f"entry {key} has groups or tags that differ from the stored labels"


def _names(held: str | None) -> list[str]:
    return orjson.loads(held) if held is not None else []


def _removed(reader: Reader) -> Iterator[str]:
    rows = reader.execute(
        "SELECT key FROM contacts_entries WHERE removed_at IS NOT NULL AND (favourite = 1 OR rank <> 0 "
        "OR interacted_at <> 0 OR coalesce(nickname, number, note, groups, tags) IS NOT NULL)"
    )
    for (key,) in rows:
        yield f"entry {key} was removed, but still has data about its person"
