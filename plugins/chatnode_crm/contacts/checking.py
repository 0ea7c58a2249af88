"""What must hold of contacts: words are those of the fields and are found; what belongs to a contact has one."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from chatnode.api import Context, Reader, counted
from chatnode_crm.contacts import finding, index
from chatnode_crm.contacts.words import words_of

MOST = 1_000
"""How many contacts are looked at, the newest: to look up the words of a million takes minutes."""
MOST_TOLD = 20


def check(reader: Reader) -> list[str]:
    """A line for each problem."""
    return [line for line, _ in zip(_problems(reader), range(MOST_TOLD), strict=False)]


def _problems(reader: Reader) -> Iterator[str]:
    for row in finding.newest(reader, 2**62, MOST):
        if row.words != words_of(attrs.asdict(row)):
            yield f"the contact {row.id} has search words that differ from its fields"
        elif not index.is_found(reader, (row.key, row.words)):
            yield f"the contact {row.id} is missing from the search index"
    for table in ("crm_notes", "crm_redirects"):
        (lost,) = reader.execute(
            f"SELECT count(*) FROM {table} t WHERE NOT EXISTS (SELECT 1 FROM crm_contacts c WHERE c.key = t.contact)"  # noqa: S608
        ).fetchone()
        if lost:
            yield f"no contact for {counted(lost, 'row')} of {table}"


async def repair(ctx: Context) -> dict[str, int]:
    """Make the index again if the check finds a fault. Nothing else can be written meanwhile."""
    if not await ctx.read(check):
        return {}
    await ctx.write(index.rebuild)
    return {"indexes": 1}
