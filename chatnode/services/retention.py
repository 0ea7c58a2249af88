"""Retention: automatic removal, with receipts and proof that the texts are gone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from chatnode.counting import counted
from chatnode.dispatch.caller import Caller
from chatnode.dispatch.core import Core
from chatnode.dispatch.jobs import Job
from chatnode.dispatch.subject import Subject
from chatnode.dispatch.table import command
from chatnode.hooks.files import removed as removed_with
from chatnode.hooks.plugin import RemovalNote
from chatnode.logs import get_logger
from chatnode.model import permissions
from chatnode.model.commands.retention import ListRemovals, RemovalPage
from chatnode.model.times import now_ms
from chatnode.services.forgetting import prove_gone
from chatnode.storage.conversations import conversations
from chatnode.storage.engine.steps import Steps
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.privacy import retention, traces
from chatnode.storage.privacy.retention import Due, Removed

logger = get_logger("retention")

HOUR = 3600.0
STEP = 500
"""Most messages, or conversations, in one transaction."""


async def remove_old(core: Core) -> str:
    """Remove what the rules say, in steps, and prove that it is gone."""
    settings = core.config.retention
    places = await core.db.read(
        lambda reader: retention.due(reader, now_ms(), settings.message_days, settings.purge_days)
    )
    removals: list[tuple[int, list[str]]] = []
    messages = 0
    for due in places:
        removed = await _remove(core, due)
        if removed is not None:
            number, count, texts = removed
            removals.append((number, texts))
            messages += count
    if removals:
        await _prove(core, removals)
    days = settings.closed_days
    retired = await _in_steps(core, lambda tx, most: retention.retire(tx, days, most), days)
    removed = f"{counted(messages, 'message')} of {counted(len(removals), 'conversation')} removed"
    return f"{removed}, {counted(retired, 'conversation')} retired"


async def _remove(core: Core, due: Due) -> tuple[int, int, list[str]] | None:
    """Remove what is old in one conversation: the receipt's number, how many messages, texts to look for."""
    counts: dict[str, int] = {}
    probes: list[str] = []
    last: Removed | None = None
    steps = Steps(core.db, STEP)
    while last is None or last.more:
        removed = await steps.write(partial(_trim, due), lambda removed: removed.messages if removed else 0)
        if removed is None:
            break
        last = removed
        for table, count in removed.counts.items():
            counts[table] = counts.get(table, 0) + count
        probes = traces.probes([*probes, *removed.texts])
    if last is None:
        return None
    upto = last.upto
    counts |= await removed_with(core, RemovalNote(due.rule, conversation=due.id))
    number = await core.db.write(lambda tx: retention.record_removal(tx, due, upto, counts))
    return number, counts["messages"], probes


def _trim(due: Due, tx: Transaction, most: int) -> Removed | None:
    return retention.trim(tx, due, most)


async def _prove(core: Core, removals: list[tuple[int, list[str]]]) -> None:
    """Look for the removed texts in the search index and in the files, and add to the receipts what was found."""
    texts = list(dict.fromkeys(text for _, each in removals for text in each))[: traces.PROBES * 4]
    looked = await prove_gone(core, texts, retention.texts_of_others)
    if not looked.cleaned.complete:
        logger.warning("%s without a proof: %s", counted(len(removals), "receipt"), looked.advice)
        return
    own = set(texts) - set(looked.elsewhere)
    for number, each in removals:
        probes = [text for text in each if text in own]
        found = sum(text in looked.found for text in probes)
        if found:
            logger.error("receipt %d: the files still contain %d of %d removed texts", number, found, len(probes))
        await core.db.write(partial(retention.prove, removal=number, probes=len(probes), traces=found))


async def close_idle(core: Core) -> str:
    """Close conversations that have been idle for longer than they allow."""
    return f"{counted(await _in_steps(core, conversations.close_idle, 1), 'conversation')} closed"


async def _in_steps(core: Core, function: Callable[[Transaction, int], int], days: int) -> int:
    """Run a write until there is nothing left to do; returns how much it did. `days` 0: never."""
    done, steps = 0, Steps(core.db, STEP)
    while days and (count := await steps.write(function, int)):
        done += count
    return done


@command("retention.list", permission=permissions.OPERATE, reads=True)
async def list_removals(ctx: Caller, asked: ListRemovals) -> RemovalPage:
    """Receipts of what retention removed, newest first.

    To filter and sort: `items.query` of `removals`.
    """
    limit = ctx.page_size(asked.limit)
    return RemovalPage(await ctx.read(lambda reader: retention.page(reader, asked.after, limit)))


SUBJECT = Subject(
    commands=(list_removals,),
    events=retention.EVENTS,
    tables=retention.TABLES,
    jobs=(Job("retention", 6 * HOUR, remove_old), Job("close idle", HOUR, close_idle)),
)
