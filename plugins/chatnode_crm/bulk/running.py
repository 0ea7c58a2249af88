"""Carrying out a plan, slice by slice, so that posts never wait for all of it."""

from __future__ import annotations

from chatnode.api import Context, Querying, Transaction
from chatnode_crm.bulk.plan import Plan, carry_out
from chatnode_crm.jsons import json_array

AT_ONCE = 500
"""Contacts of a slice. A smaller change is carried out in the transaction of its command: all or nothing."""


async def finish(ctx: Context, plan: Plan, begun: int | None) -> int:
    """Carry out what is left of a plan, and return how much changed. `begun` is what `begin` returned."""
    if begun is not None:
        return begun
    changed, after = 0, 0
    while True:
        done = await ctx.write(lambda tx, after=after: carry_out(tx, plan, after, AT_ONCE))
        changed += done.changed
        if done.after is None:
            return changed
        after = done.after


def begin(tx: Transaction, plan: Plan) -> int | None:
    """Carry out a small plan in this transaction and return how much changed; None for one that is to be sliced."""
    if plan.source.most(tx) >= AT_ONCE:
        return None
    return carry_out(tx, plan, 0, AT_ONCE).changed


def keys_of(reader: Querying, ids: list[str]) -> tuple[list[int], list[str]]:
    """Keys of contacts, ascending, and the ids that no contact has."""
    found = dict(
        reader.execute(
            "SELECT id, key FROM crm_contacts WHERE id IN (SELECT value FROM json_each(?))", (json_array(ids),)
        ).fetchall()
    )
    return sorted(found.values()), [id for id in dict.fromkeys(ids) if id not in found]
