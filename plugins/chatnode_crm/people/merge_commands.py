"""Duplicates of contacts: looking for them, merging them, and saying that they are none."""

from __future__ import annotations

from chatnode.api import (
    DAY_MS,
    Context,
    Nothing,
    Querying,
    Reader,
    Refusal,
    Transaction,
    command,
    counted,
    read_cursor,
    rfc3339,
    write_cursor,
)
from chatnode_crm.contacts import fields
from chatnode_crm.contacts.finding import by_id, rows
from chatnode_crm.people import merging, pairs
from chatnode_crm.people.duplicates import KIND
from chatnode_crm.people.model import (
    Duplicate,
    Duplicates,
    ListDuplicates,
    Merge,
    MergeReply,
    NotSame,
    StartedWork,
    Unmerge,
    UnmergeReply,
)
from chatnode_crm.people.pairs import PairRow
from chatnode_crm.permissions import DELETE, UPDATE, VIEW
from chatnode_crm.requester import actor_of
from chatnode_crm.settings import CrmSettings


@command("crm.duplicates.find", permission=UPDATE)
async def find_duplicates(ctx: Context, _: Nothing) -> StartedWork:
    """Search for contacts that may be the same person, in the background; `crm.duplicates.list` lists them."""

    def write(tx: Transaction) -> str:
        return ctx.start_work(tx, KIND.name, {}, title=KIND.title, resource="duplicates")

    return StartedWork(await ctx.write(write))


@command("crm.duplicates.list", permission=VIEW, reads=True)
async def list_duplicates(ctx: Context, asked: ListDuplicates) -> Duplicates:
    """Contacts that may be the same person, the most certain first."""
    limit = ctx.page_size(asked.limit)

    def read(reader: Reader) -> Duplicates:
        if asked.contact is not None:
            found = pairs.suggested_for(reader, by_id(reader, asked.contact).key)
            return Duplicates(_shown(reader, found[:limit]))
        found = pairs.suggested_page(reader, read_cursor(asked.after, int, int, int), limit)
        last = found[-1] if len(found) == limit else None
        following = write_cursor(last.score, last.one, last.other) if last is not None else None
        return Duplicates(_shown(reader, found), following)

    return await ctx.read(read)


@command("crm.contacts.not_same", permission=UPDATE)
async def say_not_same(ctx: Context, asked: NotSame) -> Nothing:
    """Mark two contacts as different people: they are not suggested again, and cannot be merged."""

    def write(tx: Transaction) -> None:
        one, other = by_id(tx, asked.contact), by_id(tx, asked.other, "other")
        if one.key == other.key:
            raise Refusal("invalid", "name two different contacts", path="other")
        if asked.not_same:
            changed = pairs.set_not_same(tx, one.key, other.key, actor_of(ctx))
        else:
            changed = pairs.forget_verdict(tx, one.key, other.key)
        if changed:
            ctx.audit(tx, "contacts.not_same", one.id, other=other.id, not_same=asked.not_same)

    await ctx.write(write)
    return Nothing()


@command("crm.contacts.merge", permission=UPDATE)
async def merge_contacts(ctx: Context, asked: Merge) -> MergeReply:
    """Merge a contact into another one, with its lists, tags, notes and identities. From then on, its id leads to the
    remaining one."""
    ctx.check(DELETE)
    days = ctx.settings(CrmSettings).merge_undo_days

    def write(tx: Transaction) -> MergeReply:
        kept, other = by_id(tx, asked.contact), by_id(tx, asked.other, "other")
        take_custom = {
            str(fields.find(tx, name, f"take_custom.{place}").key) for place, name in enumerate(asked.take_custom)
        }
        id = merging.merge(tx, kept, other, asked.take, take_custom, actor=actor_of(ctx))
        ctx.audit(tx, "contacts.merge", kept.id, other=other.id)
        return MergeReply(kept.id, id, rfc3339(tx.now + days * DAY_MS))

    return await ctx.write(write)


@command("crm.contacts.unmerge", permission=UPDATE)
async def unmerge_contacts(ctx: Context, asked: Unmerge) -> UnmergeReply:
    """Undo a merge: both contacts are as they were. Only while nothing about the contact has changed since."""
    ctx.check(DELETE)

    def write(tx: Transaction) -> UnmergeReply:
        found = merging.find_merge(tx, asked.merge)
        kept, other = merging.unmerge(tx, found, actor=actor_of(ctx))
        ctx.audit(tx, "contacts.unmerge", kept, other=other)
        return UnmergeReply(kept, other)

    return await ctx.write(write)


async def forget_old_merges(ctx: Context) -> str | None:
    """Remove what merges keep to be undone, once that is too long ago."""
    days, removed = ctx.settings(CrmSettings).merge_undo_days, 0
    while count := await ctx.write(lambda tx: merging.remove_old(tx, tx.now - days * DAY_MS, 500)):
        removed += count
    return f"{counted(removed, 'merge')} can no longer be undone" if removed else None


def _shown(reader: Querying, found: list[PairRow]) -> list[Duplicate]:
    ids = {row.key: row.id for row in rows(reader, sorted({key for each in found for key in (each.one, each.other)}))}
    return [
        Duplicate(ids[each.one], ids[each.other], each.reason, each.score)
        for each in found
        if each.one in ids and each.other in ids
    ]


COMMANDS = (find_duplicates, list_duplicates, say_not_same, merge_contacts, unmerge_contacts)
