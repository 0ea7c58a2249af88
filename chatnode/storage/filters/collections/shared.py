"""Pieces of SQL that several collections are made of."""

from __future__ import annotations

from chatnode.storage.conversations.blocked_view import shown_mark

READ_MARK = shown_mark("part", "read")
"""`members part`: how far they have read, as the asker may know it."""

DELIVERED_MARK = shown_mark("part", "delivered")
"""`members part`: how far messages were delivered to them, as the asker may know it."""


def id_of_person(key: str) -> str:
    """The public id of the person with this key."""
    return f"(SELECT o.id FROM people o WHERE o.key = {key})"
