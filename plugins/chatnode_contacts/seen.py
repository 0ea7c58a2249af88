"""SQL for which people appear in anybody's lists."""

from __future__ import annotations

from chatnode.api import not_blocked


def seen(person: str) -> str:
    """A condition: `:me` sees the user with the key in the column `person`, who is not erased and without a block."""
    erased = f"SELECT key FROM people WHERE erased_at IS NOT NULL AND key = {person}"  # noqa: S608 -- a column
    return f"{not_blocked(person)} AND {person} NOT IN ({erased})"
