"""Pieces of SQL that several collections are made of."""

from __future__ import annotations

MINE = "mine.person = :me AND mine.left_gid IS NULL"
"""`members mine`: that the asker takes part."""

READ_MARK = "(CASE WHEN part.person = :me THEN part.read_seq ELSE part.shown_seq END)"
"""`members part`: how far they have read, as the asker may know it."""


def id_of_person(key: str) -> str:
    """The public id of the person with this key."""
    return f"(SELECT o.id FROM people o WHERE o.key = {key})"
