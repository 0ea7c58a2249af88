"""Contacts of an organisation: lists, tags, segments, imports, exports, and how they are reached in chat."""

from __future__ import annotations

from collections.abc import Callable

from chatnode.api import Plugin, hookimpl, steps_in
from chatnode_crm import broadcasts, bulk, contacts, exports, imports, lists, people, segments, statistics, tags
from chatnode_crm.contacts import hookspecs
from chatnode_crm.contacts.forgetting import also_forget
from chatnode_crm.lists import membership
from chatnode_crm.permissions import PERMISSIONS, ROLES
from chatnode_crm.settings import CrmSettings
from chatnode_crm.statistics.checking import check
from chatnode_crm.statistics.health import health
from chatnode_crm.tags import tagging

PARTS = tuple(
    each.PART for each in (contacts, lists, tags, segments, bulk, imports, exports, people, broadcasts, statistics)
)

also_forget((membership.forget_contacts, tagging.forget_contacts, imports.forget_contacts, exports.forget_contacts))


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
        api="2.0",
        about="Contacts of an organisation, with lists, tags, imports and exports.",
        settings=CrmSettings,
        steps=steps_in(__name__),
        permissions=PERMISSIONS,
        roles=ROLES,
        commands=[each for part in PARTS for each in part.commands],
        events=[each for part in PARTS for each in part.events],
        tables=[each for part in PARTS for each in part.tables],
        collections=[each for part in PARTS for each in part.collections],
        consumers=[each for part in PARTS for each in part.consumers],
        tasks=[each for part in PARTS for each in part.tasks],
        works=[each for part in PARTS for each in part.works],
        routes=[each for part in PARTS for each in part.routes],
        metrics=[each for part in PARTS for each in part.metrics],
        limits=[each for part in PARTS for each in part.limits],
        health=health,
        check=check,
    )
