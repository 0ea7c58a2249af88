"""What contacts were taken off: lists and tags, for their timelines."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager

from chatnode.api import Querying, Transaction, json_array, rfc3339
from chatnode_crm.contacts.timeline import TimelineEntry
from chatnode_crm.tombstones import GroupKind

_SHOWN: dict[GroupKind, str] = {"list": "removed_from_list", "tag": "untagged"}


def note_removals(
    tx: Transaction, kind: GroupKind, of: int, removed: Iterable[tuple[int, int]], actor: int | None
) -> None:
    """Note that contacts were taken off a list or a tag now; `removed` has each with the time when it was added."""
    tx.executemany(
        "INSERT INTO crm_removals (contact, kind, of, added_at, at, actor) VALUES (?, ?, ?, ?, ?, ?)",
        [(contact, kind, of, added_at, tx.now, actor) for contact, added_at in removed],
    )


@contextmanager
def not_noted(tx: Transaction) -> Generator[None]:
    """Within the block nothing is noted: what is taken off there was never put on, as when something is undone."""
    (last,) = tx.execute("SELECT coalesce(max(key), 0) FROM crm_removals").fetchone()
    yield
    tx.execute("DELETE FROM crm_removals WHERE key > ?", (last,))


def entries(reader: Querying, contact: int, at: int, key: int, most: int) -> list[TimelineEntry]:
    """A source of `contacts.timeline`. Of a list or tag that was deleted since it has the id alone."""
    rows = reader.execute(
        "SELECT r.at, r.key, r.kind, coalesce(l.id, t.id, g.id), coalesce(l.name, t.name), r.added_at, r.actor "
        "FROM crm_removals r LEFT JOIN crm_lists l ON r.kind = 'list' AND l.key = r.of "
        "LEFT JOIN crm_tags t ON r.kind = 'tag' AND t.key = r.of "
        "LEFT JOIN crm_tombstones g ON g.kind = r.kind AND g.key = r.of "
        "WHERE r.contact = ? AND (r.at, r.key) < (?, ?) ORDER BY r.at DESC, r.key DESC LIMIT ?",
        (contact, at, key, most),
    )
    return [
        TimelineEntry(then, number, _SHOWN[kind], _data(kind, id, name, added_at), actor)
        for then, number, kind, id, name, added_at, actor in rows.fetchall()
    ]


def _data(kind: GroupKind, id: str, name: str | None, added_at: int) -> dict[str, str]:
    named = {} if name is None else {"name": name}
    return {kind: id, **named, "added_at": rfc3339(added_at)}


def forget_contacts(tx: Transaction, keys: Sequence[int]) -> None:
    """Remove what is noted about contacts that are deleted."""
    tx.execute("DELETE FROM crm_removals WHERE contact IN (SELECT value FROM json_each(?))", (json_array(keys),))


def remove_old(tx: Transaction, until: int, most: int) -> int:
    """Remove up to `most` from before a time; returns how many."""
    return tx.execute(
        "DELETE FROM crm_removals WHERE key IN (SELECT key FROM crm_removals WHERE at < ? ORDER BY at LIMIT ?)",
        (until, most),
    ).rowcount
