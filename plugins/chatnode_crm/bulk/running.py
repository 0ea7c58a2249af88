"""Carrying out a plan: a small one in the transaction of its command, a large one as work, slice by slice."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import attrs

from chatnode.api import Context, Transaction, Work, WorkKind
from chatnode_crm.bulk.plan import End, Plan, Slice, Source, Step, carry_out
from chatnode_crm.settings import CrmSettings

_NAME = "bulk"


@attrs.frozen
class Begun:
    """`changed` counts what changed; or, of a large plan, the id of the work that carries it out."""

    changed: int | None = None
    work: str | None = None


def begin(ctx: Context, tx: Transaction, plan: Plan, title: str, resource: str) -> Begun:
    """Carry out a small plan, or start the work for a large one, in this transaction. Of works that change the same
    list or tag (`resource`), one runs at a time."""
    most = plan.source.most(tx)
    if most < ctx.settings(CrmSettings).bulk_contacts:
        return Begun(changed=carry_out(tx, plan, 0, most + 1).changed)
    return Begun(work=ctx.start_work(tx, _NAME, attrs.asdict(plan), title=title, resource=resource))


async def _run(ctx: Context, work: Work) -> Mapping[str, Any]:
    plan = _plan(work.arguments)
    total = await ctx.read(plan.source.most)
    state = work.state or {"after": 0, "changed": 0, "done": 0}
    for size in work.slices():
        state = await work.write(partial(_next, work, plan, state, size, total))
        if state["after"] is None:
            break
    ctx.wake("lists_sweep")
    return {"changed": state["changed"]}


def _next(work: Work, plan: Plan, state: dict[str, Any], size: int, total: int, tx: Transaction) -> dict[str, Any]:
    """Carry out a slice, and note in the same transaction that it is."""
    made: Slice = carry_out(tx, plan, state["after"], size)
    done = state["done"] + made.contacts
    state = {"after": made.after, "changed": state["changed"] + made.changed, "done": done}
    work.note(tx, done=done, total=done if made.after is None else max(done, total), state=state)
    return state


def _plan(arguments: Mapping[str, Any]) -> Plan:
    """The plan that a work was started with."""
    return Plan(
        Source(**arguments["source"]),
        [Step(**each) for each in arguments["steps"]],
        [End(**each) for each in arguments["ends"]],
        arguments["actor"],
    )


WORKS = (WorkKind(_NAME, _run, "Change the lists or tags of contacts", at_once=2),)
