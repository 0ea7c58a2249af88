"""For other systems: many contacts at a time, and what changed since."""

from __future__ import annotations

from typing import Any

import attrs

from chatnode.api import Context, Reader, Refusal, Transaction, command, log_rows
from chatnode_crm.contacts import envelope, finding, upserting
from chatnode_crm.contacts.completing import additions
from chatnode_crm.contacts.model import (
    ContactEventPage,
    ContactEventsSince,
    RowVerdict,
    UpsertContacts,
    UpsertFault,
    UpsertReply,
)
from chatnode_crm.contacts.preparing import PreparedContact, prepare, rules_of
from chatnode_crm.contacts.upserting import Candidate, Decided
from chatnode_crm.permissions import CREATE, UPDATE, VIEW
from chatnode_crm.requester import actor_of

_LOOKS = 10
"""How many stretches of the log one request looks at, at most."""


@command("crm.contacts.upsert", permission=CREATE, limit="changes", repeatable=True)
async def upsert(ctx: Context, asked: UpsertContacts) -> UpsertReply:
    """Create or change contacts, found by external id, else by email address, else by phone number and name. Needs
    `crm.contacts.update` as well.

    Sending the same rows again changes nothing. Each row has a verdict: an invalid row changes nothing, and does not
    affect the others. The email address of a contact that was erased is invalid, until a user creates it again.
    """
    ctx.check(UPDATE)
    rules, actor = rules_of(ctx), actor_of(ctx)
    prepared = await ctx.read(lambda reader: prepare(reader, asked.contacts, rules))
    good = [number for number, each in enumerate(prepared) if not each.faults]
    more = await additions(ctx, [prepared[number].values for number in good], rules)
    believed = [_believed(prepared[number], asked.consent) for number in good]
    rows = [Candidate(each, known) for each, known in zip(believed, more, strict=True)]

    def write(tx: Transaction) -> tuple[list[Decided], dict[int, str]]:
        decided = upserting.upsert(tx, rows, source="api", actor=actor)
        return decided, finding.ids(tx, [each.contact for each in decided if each.contact is not None])

    decided, ids = await ctx.write(write, repeatable=True)
    verdicts = dict(zip(good, decided, strict=True))
    return UpsertReply(
        [
            _verdict(row, verdicts.get(row, Decided("invalid", faults=each.faults)), ids)
            for row, each in enumerate(prepared)
        ]
    )


def _believed(prepared: PreparedContact, consent: str) -> PreparedContact:
    """Another system may not know yet that somebody opted out."""
    if prepared.opted_out is False and consent == "tighten":
        return attrs.evolve(prepared, opted_out=None)
    return prepared


def _verdict(row: int, decided: Decided, ids: dict[int, str]) -> RowVerdict:
    contact = ids[decided.contact] if decided.contact is not None else None
    faults = [UpsertFault(fault.field, fault.code, fault.message) for fault in decided.faults]
    return RowVerdict(row, decided.verdict, contact, faults or None)


@command("crm.contacts.changes", permission=VIEW, reads=True)
async def changes(ctx: Context, asked: ContactEventsSince) -> ContactEventPage:
    """The events about contacts, lists and tags since a place in the log, in their order, as consumers get them.

    First call it without `after` and keep `next` and `epoch`; then fetch all contacts, and from then on what changed.
    Raises `gone` once a backup was restored: then begin again.
    """
    limit = ctx.page_size(asked.limit)
    if asked.epoch is not None and asked.epoch != ctx.epoch:
        raise Refusal("gone", "a backup was restored since: fetch all contacts again", path="epoch")
    kinds = envelope.kinds()

    def read(reader: Reader) -> ContactEventPage:
        events: list[dict[str, Any]] = []
        found = log_rows(reader, 2**62 if asked.after is None else asked.after, kinds, limit)
        reached = found.head if asked.after is None else found.reached
        for _ in range(_LOOKS):
            events += [_enveloped(made) for row in found.rows if (made := ctx.event(reader, row)) is not None]
            if len(events) >= limit or reached >= found.head:
                break
            found = log_rows(reader, reached, kinds, limit - len(events))
            reached = found.reached
        return ContactEventPage(events, reached, ctx.epoch, reached < found.head)

    return await ctx.query(read)


def _enveloped(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in ("gid", "event")}


COMMANDS = (upsert, changes)
