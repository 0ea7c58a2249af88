"""Commands that change the lists or tags of many contacts."""

from __future__ import annotations

from chatnode.api import Context, Refusal, Transaction, command
from chatnode_crm.asking import actor_of
from chatnode_crm.bulk.model import (
    ApplyTags,
    BulkDone,
    ChangeMembers,
    ClearTag,
    CopyList,
    FilledList,
    FilledTag,
    IntersectLists,
    MergeLists,
    MergeTags,
    RemoveTags,
)
from chatnode_crm.bulk.plan import End, EndOp, Op, Plan, Source, Step
from chatnode_crm.bulk.running import begin, finish, keys_of
from chatnode_crm.jsons import json_array
from chatnode_crm.lists.changing import copy_name, make_list
from chatnode_crm.lists.finding import find_list, find_lists, find_open_list, list_by_key
from chatnode_crm.lists.pages import wanted_of
from chatnode_crm.lists.showing import show_list
from chatnode_crm.permissions import LISTS, TAGS
from chatnode_crm.tags.finding import find_tag, find_tags, tag_by_key
from chatnode_crm.tags.showing import show_tag


@command("crm.lists.add", permission=LISTS)
async def add(ctx: Context, asked: ChangeMembers) -> BulkDone:
    """Add contacts to a list. A contact that is on it keeps the time when it was added."""
    return await _change_members(ctx, asked, "add")


@command("crm.lists.remove", permission=LISTS)
async def remove(ctx: Context, asked: ChangeMembers) -> BulkDone:
    """Remove contacts from a list."""
    return await _change_members(ctx, asked, "remove")


async def _change_members(ctx: Context, asked: ChangeMembers, op: Op) -> BulkDone:
    def write(tx: Transaction) -> tuple[Plan, list[str], int | None]:
        row = find_open_list(tx, asked.list)
        keys, missing = keys_of(tx, asked.contacts)
        plan = Plan(Source(contacts=keys), [Step(op, row.key)], [], actor_of(ctx))
        return plan, missing, begin(tx, plan)

    plan, missing, begun = await ctx.write(write, repeatable=True)
    return BulkDone(await finish(ctx, plan, begun), missing)


@command("crm.lists.copy", permission=LISTS)
async def copy(ctx: Context, asked: CopyList) -> FilledList:
    """Copy a list with its description and all of its contacts, which are added to the copy now."""

    def write(tx: Transaction) -> tuple[Plan, int, int | None]:
        row = find_list(tx, asked.list)
        made = make_list(
            tx,
            asked.name if asked.name is not None else copy_name(tx, row.name),
            kind="campaign" if row.kind == "campaign" else "static",
            description=row.description,
            actor=actor_of(ctx),
        )
        plan = Plan(Source(lists=[row.key]), [Step("add", made.key)], [], actor_of(ctx))
        return plan, made.key, begin(tx, plan)

    return await _fill(ctx, *await ctx.write(write))


_ENDS: dict[str, EndOp] = {"archive": "archive_list", "delete": "delete_list"}


@command("crm.lists.merge", permission=LISTS)
async def merge(ctx: Context, asked: MergeLists) -> FilledList:
    """Add the contacts of several lists to another one. Contacts that are on it keep the time when they were added."""

    def write(tx: Transaction) -> tuple[Plan, int, int | None]:
        into = find_open_list(tx, asked.into, "into")
        sources = [row.key for row in find_lists(tx, asked.sources, "sources")]
        _check_sources(sources, into.key)
        end = _ENDS.get(asked.sources_then)
        ends = [End(end, key) for key in sources] if end is not None else []
        plan = Plan(Source(lists=sources), [Step("add", into.key)], ends, actor_of(ctx))
        ctx.audit(tx, "lists_merged", into.id, sources=len(sources), then=asked.sources_then)
        return plan, into.key, begin(tx, plan)

    return await _fill(ctx, *await ctx.write(write))


@command("crm.lists.intersect", permission=LISTS)
async def intersect(ctx: Context, asked: IntersectLists) -> FilledList:
    """Make a static list of the contacts that are on at least so many of some lists, or on all of them."""

    def write(tx: Transaction) -> tuple[Plan, int, int | None]:
        wanted = wanted_of(tx, asked.lists, asked.at_least)
        made = make_list(tx, asked.name, kind="static", actor=actor_of(ctx))
        source = Source(lists=[group.key for group in wanted.some], at_least=wanted.at_least)
        plan = Plan(source, [Step("add", made.key)], [], actor_of(ctx))
        return plan, made.key, begin(tx, plan)

    return await _fill(ctx, *await ctx.write(write))


async def _fill(ctx: Context, plan: Plan, key: int, begun: int | None) -> FilledList:
    changed = await finish(ctx, plan, begun)
    ctx.wake("lists_sweep")
    row = await ctx.read(lambda reader: list_by_key(reader, key))
    if row is None:
        raise Refusal("gone", "the list was deleted meanwhile")
    return FilledList((await ctx.read(lambda reader: show_list(reader, row))).list, changed)


# ---- tags


@command("crm.tags.apply", permission=TAGS)
async def apply(ctx: Context, asked: ApplyTags) -> BulkDone:
    """Give contacts tags, all of them to each."""

    def write(tx: Transaction) -> tuple[Plan, list[str], int | None]:
        steps = [Step("tag", row.key) for row in find_tags(tx, asked.tags)]
        keys, missing = keys_of(tx, asked.contacts)
        plan = Plan(Source(contacts=keys), steps, [], actor_of(ctx))
        return plan, missing, begin(tx, plan)

    plan, missing, begun = await ctx.write(write, repeatable=True)
    return BulkDone(await finish(ctx, plan, begun), missing)


@command("crm.tags.remove", permission=TAGS)
async def take(ctx: Context, asked: RemoveTags) -> BulkDone:
    """Take tags from contacts, or all that they have."""

    def write(tx: Transaction) -> tuple[Plan, list[str], int | None]:
        keys, missing = keys_of(tx, asked.contacts)
        tags = [row.key for row in find_tags(tx, asked.tags)] if asked.tags else _tags_of(tx, keys)
        plan = Plan(Source(contacts=keys), [Step("untag", key) for key in tags], [], actor_of(ctx))
        return plan, missing, begin(tx, plan)

    plan, missing, begun = await ctx.write(write, repeatable=True)
    return BulkDone(await finish(ctx, plan, begun), missing)


def _tags_of(tx: Transaction, contacts: list[int]) -> list[int]:
    found = tx.execute(
        "SELECT DISTINCT g.tag FROM crm_taggings g JOIN crm_tags t ON t.key = g.tag "
        "WHERE g.contact IN (SELECT value FROM json_each(?)) ORDER BY g.tag",
        (json_array(contacts),),
    )
    return [tag for (tag,) in found.fetchall()]


@command("crm.tags.clear", permission=TAGS)
async def clear(ctx: Context, asked: ClearTag) -> FilledTag:
    """Take a tag from all contacts that have it. The tag stays."""

    def write(tx: Transaction) -> tuple[Plan, int, int | None]:
        row = find_tag(tx, asked.tag)
        plan = Plan(Source(tags=[row.key]), [Step("untag", row.key)], [], actor_of(ctx))
        ctx.audit(tx, "tag_cleared", row.id, contacts=row.contacts)
        return plan, row.key, begin(tx, plan)

    return await _tagged(ctx, *await ctx.write(write))


@command("crm.tags.merge", permission=TAGS)
async def merge_tags(ctx: Context, asked: MergeTags) -> FilledTag:
    """Replace tags by another one: contacts that have one of them get it, and they are deleted."""

    def write(tx: Transaction) -> tuple[Plan, int, int | None]:
        into = find_tag(tx, asked.into, "into")
        sources = [row.key for row in find_tags(tx, asked.sources, "sources")]
        _check_sources(sources, into.key)
        ends = [End("delete_tag", key) for key in sources]
        plan = Plan(Source(tags=sources), [Step("tag", into.key)], ends, actor_of(ctx))
        ctx.audit(tx, "tags_merged", into.id, sources=len(sources))
        return plan, into.key, begin(tx, plan)

    return await _tagged(ctx, *await ctx.write(write))


async def _tagged(ctx: Context, plan: Plan, key: int, begun: int | None) -> FilledTag:
    changed = await finish(ctx, plan, begun)
    ctx.wake("lists_sweep")
    row = await ctx.read(lambda reader: tag_by_key(reader, key))
    if row is None:
        raise Refusal("gone", "the tag was deleted meanwhile")
    return FilledTag(show_tag(row), changed)


def _check_sources(sources: list[int], into: int) -> None:
    if not sources:
        raise Refusal("invalid", "name at least one", path="sources")
    if into in sources:
        raise Refusal("invalid", "cannot be merged into itself", path="sources")


COMMANDS = (add, remove, copy, merge, intersect, apply, take, clear, merge_tags)
