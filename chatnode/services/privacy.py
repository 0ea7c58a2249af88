"""What the node stores about a user: exporting it and erasing it."""

from __future__ import annotations

from functools import partial

from chatnode.counting import counted
from chatnode.dispatch.caller import Caller
from chatnode.dispatch.core import Core
from chatnode.dispatch.jobs import Job, JobFailed
from chatnode.dispatch.subject import Subject
from chatnode.dispatch.table import command
from chatnode.errors import Refusal
from chatnode.hooks.files import removed as removed_with
from chatnode.hooks.plugin import RemovalNote
from chatnode.model import permissions
from chatnode.model.commands.privacy import Erase, Erased, Export, ExportPage, Proof
from chatnode.model.people import PersonRef
from chatnode.routing.presence import PresenceBoard
from chatnode.services.administration import is_me, person_or_me
from chatnode.services.forgetting import forget_what_is_owed, prove_gone
from chatnode.services.passwords import check_own_password
from chatnode.services.ranks import check_may_manage
from chatnode.storage.engine.steps import Steps
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people import audit, people
from chatnode.storage.presence import presence
from chatnode.storage.presence.presence import PresenceAudience
from chatnode.storage.privacy import erasure, traces
from chatnode.storage.privacy import export as personal_export
from chatnode.storage.privacy.retention import texts_of_others

# ---- erasing


@command("people.erase", permission=permissions.CHAT, or_permission=permissions.MANAGE_PEOPLE, unscoped=True)
async def erase(ctx: Caller, asked: Erase) -> Erased:
    """Erase an account permanently: profile, sessions, settings and all its messages.

    Messages leave tombstones, and direct conversations keep two members, under a made-up handle. Returns a receipt of
    what was removed, and whether any of it is still in the files.
    """
    account = await person_or_me(ctx, asked.person)
    if asked.handle.lower() != account.handle:
        raise Refusal("invalid", "type the handle of the account to confirm", path="handle")
    if is_me(ctx, account):
        await check_own_password(ctx, account, asked.password)

    def write(tx: Transaction) -> tuple[PersonRef, PresenceAudience]:
        current = people.by_key(tx, account.key)
        if not is_me(ctx, current):
            check_may_manage(ctx, current)
        circle = presence.circle(tx, account.key)
        erased = erasure.begin(tx, current)
        audit.record(tx, ctx.account, "people.erase", current.id)
        return erased.ref, circle

    nobody, circle = await ctx.write(write)
    ctx.core.part(PresenceBoard).erased(account.key, nobody, circle)
    removed, proof = await _erase_rest(ctx.core, account.key, [account.name])
    return Erased(account.id, removed, proof)


async def _erase_rest(core: Core, person: int, texts: list[str]) -> tuple[dict[str, int], Proof]:
    """The rest of an erasure, in steps; `texts` are already removed. If it is interrupted, the job resumes it."""
    db = core.db
    for step in (erasure.leave_groups, erasure.remove_marks):
        steps = Steps(db, erasure.MOST)
        while await steps.write(lambda tx, most, step=step: step(tx, person, most), int):
            pass
    texts = traces.probes(texts)
    after: int | None = None
    steps = Steps(db, erasure.MOST)
    while True:
        batch = await db.read(partial(erasure.find_messages, person=person, after=after, most=steps.size))
        if batch.messages:
            await steps.write(partial(_erase, person, batch), int)
            texts = traces.probes([*texts, *batch.texts])
        if batch.last:
            break
        after = batch.upto
    of_plugins = await removed_with(core, RemovalNote("erased", person=person))
    removed = await db.write(lambda tx: erasure.finish(tx, person, of_plugins))
    return removed, await _prove(core, texts)


def _erase(person: int, batch: erasure.ErasureBatch, tx: Transaction, _: int) -> int:
    erasure.erase_messages(tx, person, batch)
    return len(batch.messages)


async def _prove(core: Core, texts: list[str]) -> Proof:
    looked = await prove_gone(core, texts, texts_of_others)
    cleaned = looked.cleaned
    return Proof(len(texts), len(looked.found), len(looked.elsewhere), cleaned.swept, cleaned.flushed, looked.advice)


async def finish_erasures(core: Core) -> str | None:
    """Resume erasures that were interrupted when the node stopped, and remove remaining traces from the files."""
    begun = await core.db.read(erasure.unfinished)
    for person in begun:
        await _erase_rest(core, person, [])
    cleaned = await forget_what_is_owed(core)
    if cleaned is not None and not cleaned.complete:
        raise JobFailed("removed data may have left traces in the files; see Erasing in docs/operating.md")
    return f"{counted(len(begun), 'erasure')} finished" if begun or cleaned else None


# ---- exporting


@command(
    "people.export", permission=permissions.CHAT, or_permission=permissions.MANAGE_PEOPLE, reads=True, unscoped=True
)
async def export(ctx: Caller, asked: Export) -> ExportPage:
    """Everything the node stores about you or, with the permission to manage people, about another user; page by
    page."""
    account = await person_or_me(ctx, asked.person)
    if not is_me(ctx, account):
        check_may_manage(ctx, account)
        if asked.after is None:
            await ctx.write(lambda tx: audit.record(tx, ctx.account, "people.export", account.id))
    limit = ctx.page_size(asked.limit)
    return await ctx.query(lambda reader: personal_export.page(reader, account, asked.after, limit), seconds=0)


SUBJECT = Subject(
    commands=(export, erase),
    events=erasure.EVENTS,
    tables=(*erasure.TABLES, *traces.TABLES),
    jobs=(Job("erasures", 3_600, finish_erasures),),
)
