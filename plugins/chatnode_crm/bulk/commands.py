"""Commands that change the lists or tags of many contacts."""

from __future__ import annotations

import attrs

from chatnode.api import Context, Refusal, Transaction, command, json_array
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
from chatnode_crm.bulk.plan import BulkEnd, BulkPlan, BulkSource, BulkStep, EndOp, Op
from chatnode_crm.bulk.running import begin
from chatnode_crm.contacts.finding import keys_by_id
from chatnode_crm.lists.changing import copy_name, make_list
from chatnode_crm.lists.finding import ListRow, find_list, find_lists, find_open_list, list_by_key
from chatnode_crm.lists.pages import wanted_of
from chatnode_crm.lists.showing import show_list
from chatnode_crm.permissions import LISTS, TAGS
from chatnode_crm.requester import actor_of
from chatnode_crm.segments import selection
from chatnode_crm.segments.collection import asker_for
from chatnode_crm.tags.finding import TagRow, find_tag, find_tags, tag_by_key
from chatnode_crm.tags.showing import show_tag


@command("crm.lists.add", permission=LISTS, limit="changes")
async def add(ctx: Context, asked: ChangeMembers) -> BulkDone:
    """Add contacts to a list. A contact that is on it keeps the time when it was added."""
    return await _change_members(ctx, asked, "add", "Add contacts to a list")


@command("crm.lists.remove", permission=LISTS, limit="changes")
async def remove(ctx: Context, asked: ChangeMembers) -> BulkDone:
    """Remove contacts from a list."""
    return await _change_members(ctx, asked, "remove", "Remove contacts from a list")


async def _change_members(ctx: Context, asked: ChangeMembers, op: Op, title: str) -> BulkDone:
    def write(tx: Transaction) -> BulkDone:
        row = find_open_list(tx, asked.list)
        return _change(ctx, tx, asked, [BulkStep(op, row.key)], title, f"list {row.key}")

    return await ctx.write(write, repeatable=True)


def _change(
    ctx: Context,
    tx: Transaction,
    asked: ChangeMembers | ApplyTags | RemoveTags,
    steps: list[BulkStep],
    title: str,
    resource: str,
) -> BulkDone:
    if (asked.contacts is None) == (asked.select is None):
        raise Refusal("invalid", "give either contacts or select", path="contacts")
    found = keys_by_id(tx, asked.contacts or ())
    source = BulkSource(contacts=sorted(set(found.values())))
    if asked.select is not None:
        selected = selection.check(tx, asker_for(ctx), asked.select, "select")
        source = BulkSource(selected=attrs.asdict(selected))
    begun = begin(ctx, tx, BulkPlan(source, steps, [], actor_of(ctx)), title, resource)
    return BulkDone([id for id in dict.fromkeys(asked.contacts or ()) if id not in found], begun.changed, begun.work)


# ---- lists from lists


@command("crm.lists.copy", permission=LISTS, limit="changes")
async def copy(ctx: Context, asked: CopyList) -> FilledList:
    """Copy a list with its description and all of its contacts, which are added to the copy now."""

    def write(tx: Transaction) -> FilledList:
        row = find_list(tx, asked.list)
        made = make_list(
            tx,
            asked.name if asked.name is not None else copy_name(tx, row.name),
            kind="campaign" if row.kind == "campaign" else "static",
            description=row.description,
            actor=actor_of(ctx),
        )
        return _fill(ctx, tx, made, BulkSource(lists=[row.key]), [], f"Copy the list {row.name}")

    return await ctx.write(write, repeatable=True)


_ENDS: dict[str, EndOp] = {"archive": "archive_list", "delete": "delete_list"}


@command("crm.lists.merge", permission=LISTS, limit="changes")
async def merge(ctx: Context, asked: MergeLists) -> FilledList:
    """Add the contacts of several lists to another one. Contacts that are on it keep the time when they were added."""

    def write(tx: Transaction) -> FilledList:
        into = find_open_list(tx, asked.into, "into")
        sources = [row.key for row in find_lists(tx, asked.sources, "sources")]
        _check_sources(sources, into.key)
        op = _ENDS.get(asked.sources_then)
        ends = [BulkEnd(op, key) for key in sources] if op is not None else []
        merged = _fill(ctx, tx, into, BulkSource(lists=sources), ends, f"Merge lists into {into.name}")
        if merged.changed != 0 or ends:
            ctx.audit(tx, "lists_merged", into.id, sources=len(sources), then=asked.sources_then)
        return merged

    done = await ctx.write(write, repeatable=True)
    ctx.wake("lists_sweep")
    return done


@command("crm.lists.intersect", permission=LISTS, limit="changes")
async def intersect(ctx: Context, asked: IntersectLists) -> FilledList:
    """Create a static list of the contacts that are on all of some lists, or on at least `at_least` of them."""

    def write(tx: Transaction) -> FilledList:
        wanted = wanted_of(tx, asked.lists, asked.at_least)
        made = make_list(tx, asked.name, kind="static", actor=actor_of(ctx))
        source = BulkSource(lists=[group.key for group in wanted.some], at_least=wanted.at_least)
        return _fill(ctx, tx, made, source, [], f"Fill the list {made.name}")

    return await ctx.write(write, repeatable=True)


def _fill(
    ctx: Context, tx: Transaction, row: ListRow, source: BulkSource, ends: list[BulkEnd], title: str
) -> FilledList:
    plan = BulkPlan(source, [BulkStep("add", row.key)], ends, actor_of(ctx))
    begun = begin(ctx, tx, plan, title, f"list {row.key}")
    return FilledList(show_list(tx, list_by_key(tx, row.key) or row).list, begun.changed, begun.work)


# ---- tags


@command("crm.tags.apply", permission=TAGS, limit="changes")
async def apply(ctx: Context, asked: ApplyTags) -> BulkDone:
    """Add tags to contacts."""

    def write(tx: Transaction) -> BulkDone:
        keys = [row.key for row in find_tags(tx, asked.tags)]
        return _change(ctx, tx, asked, [BulkStep("tag", key) for key in keys], "Tag contacts", "tags")

    return await ctx.write(write, repeatable=True)


@command("crm.tags.remove", permission=TAGS, limit="changes")
async def remove_tags(ctx: Context, asked: RemoveTags) -> BulkDone:
    """Remove some or all tags from contacts."""

    def write(tx: Transaction) -> BulkDone:
        keys = [row.key for row in find_tags(tx, asked.tags)] if asked.tags else _tags_of(tx, asked)
        steps = [BulkStep("untag", key) for key in keys]
        return _change(ctx, tx, asked, steps, "Remove tags from contacts", "tags")

    return await ctx.write(write, repeatable=True)


def _tags_of(tx: Transaction, asked: RemoveTags) -> list[int]:
    """The tags that some of the contacts have; all tags for a selection."""
    if asked.contacts is None:
        return [key for (key,) in tx.execute("SELECT key FROM crm_tags ORDER BY key").fetchall()]
    found = tx.execute(
        "SELECT DISTINCT g.tag FROM crm_taggings g JOIN crm_tags t ON t.key = g.tag "
        "WHERE g.contact IN (SELECT value FROM json_each(?)) ORDER BY g.tag",
        (json_array(keys_by_id(tx, asked.contacts).values()),),
    )
    return [tag for (tag,) in found.fetchall()]


@command("crm.tags.clear", permission=TAGS, limit="changes")
async def clear(ctx: Context, asked: ClearTag) -> FilledTag:
    """Remove a tag from all contacts that have it. The tag stays."""

    def write(tx: Transaction) -> FilledTag:
        row = find_tag(tx, asked.tag)
        if row.contacts:
            ctx.audit(tx, "tag_cleared", row.id, contacts=row.contacts)
        plan = BulkPlan(BulkSource(tags=[row.key]), [BulkStep("untag", row.key)], [], actor_of(ctx))
        return _changed(ctx, tx, row, plan, f"Remove the tag {row.name} from all contacts")

    return await ctx.write(write, repeatable=True)


@command("crm.tags.merge", permission=TAGS, limit="changes")
async def merge_tags(ctx: Context, asked: MergeTags) -> FilledTag:
    """Replace tags with another one: contacts with one of them get it, and the old tags are deleted."""

    def write(tx: Transaction) -> FilledTag:
        into = find_tag(tx, asked.into, "into")
        sources = [row.key for row in find_tags(tx, asked.sources, "sources")]
        _check_sources(sources, into.key)
        ctx.audit(tx, "tags_merged", into.id, sources=len(sources))
        ends = [BulkEnd("delete_tag", key) for key in sources]
        plan = BulkPlan(BulkSource(tags=sources), [BulkStep("tag", into.key)], ends, actor_of(ctx))
        return _changed(ctx, tx, into, plan, f"Merge tags into {into.name}")

    done = await ctx.write(write, repeatable=True)
    ctx.wake("lists_sweep")
    return done


def _changed(ctx: Context, tx: Transaction, row: TagRow, plan: BulkPlan, title: str) -> FilledTag:
    begun = begin(ctx, tx, plan, title, f"tag {row.key}")
    return FilledTag(show_tag(tag_by_key(tx, row.key) or row), begun.changed, begun.work)


def _check_sources(sources: list[int], into: int) -> None:
    if not sources:
        raise Refusal("invalid", "name at least one", path="sources")
    if into in sources:
        raise Refusal("invalid", "cannot be merged into itself", path="sources")


COMMANDS = (add, remove, copy, merge, intersect, apply, remove_tags, clear, merge_tags)
