"""What must hold of lists and tags: that their contacts exist and are counted as they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from chatnode.api import Reader

_GROUPS = (("list", "crm_lists", "members", "crm_members"), ("tag", "crm_tags", "contacts", "crm_taggings"))


def check(reader: Reader, _: Path) -> list[str]:
    """A line for each problem."""
    return list(_problems(reader))


def _problems(reader: Reader) -> Iterator[str]:
    for kind, table, size, pairs in _GROUPS:
        (wrong,) = reader.execute(
            f"SELECT count(*) FROM {table} g WHERE g.{size} <> "  # noqa: S608 -- constants
            f"(SELECT count(*) FROM {pairs} p WHERE p.{kind} = g.key)"
        ).fetchone()
        if wrong:
            yield f"{wrong} {kind}s count more or fewer contacts than they have"
        (lost,) = reader.execute(
            f"SELECT count(*) FROM {pairs} p WHERE NOT EXISTS "  # noqa: S608 -- constants
            "(SELECT 1 FROM crm_contacts c WHERE c.key = p.contact) OR (NOT EXISTS "
            f"(SELECT 1 FROM {table} g WHERE g.key = p.{kind}) AND NOT EXISTS "
            f"(SELECT 1 FROM crm_tombstones t WHERE t.kind = '{kind}' AND t.key = p.{kind} AND t.swept = 0))"
        ).fetchone()
        if lost:
            yield f"{lost} rows of {pairs} are of a contact or a {kind} that does not exist"
