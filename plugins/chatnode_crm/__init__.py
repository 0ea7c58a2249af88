"""Contacts of an organization: lists, tags, segments, imports, exports, and how they are reached in chat."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from chatnode.api import Context, Plugin, Reader, RemovalNote, hookimpl, joined, steps_in
from chatnode_crm import (
    broadcasts,
    bulk,
    contacts,
    exports,
    imports,
    lists,
    people,
    removals,
    segments,
    statistics,
    tags,
)
from chatnode_crm.cli import cli
from chatnode_crm.contacts import checking as contacts_checking
from chatnode_crm.contacts import hookspecs
from chatnode_crm.contacts.consenting import consent_by
from chatnode_crm.contacts.forgetting import also_forget
from chatnode_crm.contacts.identified import identified_by
from chatnode_crm.contacts.timeline import also_in_timeline
from chatnode_crm.exports.upkeep import delete_files
from chatnode_crm.lists import membership
from chatnode_crm.lists import timeline as lists_timeline
from chatnode_crm.people import erasing
from chatnode_crm.people.identities import has_identity
from chatnode_crm.people.opting import opt_in_accounts_of
from chatnode_crm.people.suppression import is_suppressed_many
from chatnode_crm.permissions import PERMISSIONS, ROLES
from chatnode_crm.settings import CrmSettings
from chatnode_crm.statistics import checking as statistics_checking
from chatnode_crm.statistics.health import health
from chatnode_crm.tags import tagging
from chatnode_crm.tags import timeline as tags_timeline

PARTS = tuple(
    each.PART for each in (contacts, lists, tags, segments, bulk, imports, exports, people, broadcasts, statistics)
)

also_forget(
    (
        membership.forget_contacts,
        tagging.forget_contacts,
        removals.forget_contacts,
        imports.forget_contacts,
        exports.forget_contacts,
        people.forget_contacts,
        broadcasts.forget_contacts,
    )
)
also_in_timeline((lists_timeline.entries, tags_timeline.entries, removals.entries))
identified_by(has_identity)
consent_by(opt_in_accounts_of, is_suppressed_many)


@asynccontextmanager
async def open_crm(ctx: Context) -> AsyncGenerator[None]:
    """Before the node serves: what was erased since the backup that was restored is erased again. Soon after, files
    that a kill has left are removed."""
    await erasing.apply_again(ctx)
    await imports.wake_cleanup_at_start(ctx)
    yield


async def _after_removal(ctx: Context, note: RemovalNote) -> Mapping[str, int]:
    """The contact of an erased account goes, and the files of exports that had it, as the removal is not done while
    they are on the disk."""
    counts = await erasing.after_removal(ctx, note)
    files, _ = await delete_files(ctx)
    return {**counts, "files": files} if files else counts


def _check(reader: Reader, directory: Path) -> list[str]:
    return [*contacts_checking.check(reader), *statistics_checking.check(reader, directory)]


async def _repair(ctx: Context) -> Mapping[str, int]:
    return {**await contacts_checking.repair(ctx), **await statistics_checking.repair(ctx)}


@hookimpl
def add_hookspecs(add: Callable[[object], None]) -> None:
    """Let other plugins complete contacts."""
    add(hookspecs)


@hookimpl
def chatnode_plugin() -> Plugin:
    """The declaration."""
    return Plugin(
        name="crm",
        version="0.1.0",
        api="2.1",
        about="Contacts of an organization, with lists, tags, imports and exports.",
        settings=CrmSettings,
        steps=steps_in(__name__),
        permissions=PERMISSIONS,
        roles=ROLES,
        **joined(PARTS),
        cli=cli,
        health=health,
        check=_check,
        repair=_repair,
        state=open_crm,
        after_restore=erasing.after_restore,
        after_removal=_after_removal,
    )
