"""Carrying out a plan: a small one in the transaction of its command, a large one as work, slice by slice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import attrs

from chatnode.api import Context, Transaction, Work, WorkKind, record
from chatnode_crm.bulk.plan import (
    BulkEnd,
    BulkPlan,
    BulkSource,
    BulkStep,
    carry_out,
    end,
    end_unless_grown,
    left_behind,
)
from chatnode_crm.permissions import LISTS, TAGS
from chatnode_crm.requester import check_owner
from chatnode_crm.segments.collection import asker_for
from chatnode_crm.settings import CrmSettings

_NAME = "bulk"
_PAGE = 5_000


@record(frozen=True)
class Begun:
    """`changed` counts what changed; or, of a large plan, the id of the work that carries it out."""

    changed: int | None = None
    work: str | None = None


def begin(ctx: Context, tx: Transaction, plan: BulkPlan, title: str, resource: str) -> Begun:
    """Carry out a small plan, or start the work for a large one, in this transaction. Of works that change the same
    list or tag (`resource`), one runs at a time."""
    most = plan.source.most(tx)
    if most is None or most >= ctx.settings(CrmSettings).bulk_contacts:
        return Begun(work=ctx.start_work(tx, _NAME, attrs.asdict(plan), title=title, resource=resource))
    changed = carry_out(tx, plan, plan.source.page(tx, None, 0, most + 1))
    end(tx, plan)
    return Begun(changed=changed)


@record(frozen=True)
class _State:
    """The checkpoint of a work: the key of the last contact, how many there were, and how much has changed."""

    after: int = 0
    done: int = 0
    changed: int = 0


async def _run(ctx: Context, work: Work) -> Mapping[str, Any]:
    """Contacts are read in pages, outside of the writer, which a filter may keep busy for long."""
    plan, state = _plan(work.arguments), _State(**(work.state or {}))
    total, sizes = await ctx.read(plan.source.most), work.slices()
    await check_owner(ctx, work, *sorted({LISTS if step.op in ("add", "remove") else TAGS for step in plan.steps}))
    asker = attrs.evolve(asker_for(ctx), me=plan.actor)
    while keys := await ctx.read(lambda reader, after=state.after: plan.source.page(reader, asker, after, _PAGE)):
        for part in _parts(keys, sizes):
            state = await work.write(partial(_next, work, plan, state, part, total))
        if len(keys) < _PAGE:
            break
    while True:
        left, added = await ctx.read(lambda reader: left_behind(reader, plan, _PAGE))
        for part in _parts(left, sizes):
            state = await work.write(partial(_next, work, plan, state, part, total))
        if not left and await work.write(lambda tx, added=added: end_unless_grown(tx, plan, added)):
            break
    ctx.wake("lists_sweep")
    return {"changed": state.changed}


def _parts(keys: list[int], sizes: Iterator[int]) -> Iterator[list[int]]:
    start = 0
    while start < len(keys):
        size = next(sizes)
        yield keys[start : start + size]
        start += size


def _next(work: Work, plan: BulkPlan, state: _State, keys: list[int], total: int | None, tx: Transaction) -> _State:
    """Carry out a part, and note in the same transaction that it is."""
    changed, done = state.changed + carry_out(tx, plan, keys), state.done + len(keys)
    state = _State(keys[-1], done, changed)
    work.note(tx, done=done, total=max(done, total) if total is not None else None, state=attrs.asdict(state))
    return state


def _plan(arguments: Mapping[str, Any]) -> BulkPlan:
    """The plan that a work was started with."""
    return BulkPlan(
        BulkSource(**arguments["source"]),
        [BulkStep(**each) for each in arguments["steps"]],
        [BulkEnd(**each) for each in arguments["ends"]],
        arguments["actor"],
    )


WORKS = (WorkKind(_NAME, _run, "Change the lists or tags of contacts", at_once=2),)
