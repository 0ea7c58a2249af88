"""When a contact got the tags it has, for its timeline."""

from __future__ import annotations

from chatnode.api import Querying
from chatnode_crm.contacts.timeline import TimelineEntry


def entries(reader: Querying, contact: int, at: int, key: int, most: int) -> list[TimelineEntry]:
    """A source of `contacts.timeline`; its keys are those of tags."""
    rows = reader.execute(
        "SELECT g.created_at, g.tag, t.id, t.name, g.created_by FROM crm_taggings g JOIN crm_tags t ON t.key = g.tag "
        "WHERE g.contact = ? AND (g.created_at, g.tag) < (?, ?) ORDER BY g.created_at DESC, g.tag DESC LIMIT ?",
        (contact, at, key, most),
    )
    return [
        TimelineEntry(created_at, number, "tagged", {"tag": id, "name": name}, created_by)
        for created_at, number, id, name, created_by in rows.fetchall()
    ]
