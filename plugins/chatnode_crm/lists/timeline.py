"""When a contact was added to the lists it is on, for its timeline."""

from __future__ import annotations

from chatnode.api import Querying
from chatnode_crm.contacts.timeline import TimelineEntry


def entries(reader: Querying, contact: int, at: int, key: int, most: int) -> list[TimelineEntry]:
    """A source of `contacts.timeline`; its keys are those of lists."""
    rows = reader.execute(
        "SELECT m.added_at, m.list, l.id, l.name, m.added_by FROM crm_members m JOIN crm_lists l ON l.key = m.list "
        "WHERE m.contact = ? AND (m.added_at, m.list) < (?, ?) ORDER BY m.added_at DESC, m.list DESC LIMIT ?",
        (contact, at, key, most),
    )
    return [
        TimelineEntry(added_at, number, "added_to_list", {"list": id, "name": name}, added_by)
        for added_at, number, id, name, added_by in rows.fetchall()
    ]
