"""Contacts of an organisation: lists, tags, segments, imports, exports, and how they are reached in chat."""

from __future__ import annotations

from chatnode.api import Plugin, hookimpl, steps_in
from chatnode_crm import broadcasts, contacts, exports, imports, lists, people, segments, statistics, tags
from chatnode_crm.permissions import PERMISSIONS, ROLES
from chatnode_crm.settings import CrmSettings

PARTS = tuple(each.PART for each in (contacts, lists, tags, segments, imports, exports, people, broadcasts, statistics))


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
        routes=[each for part in PARTS for each in part.routes],
        metrics=[each for part in PARTS for each in part.metrics],
        limits=[each for part in PARTS for each in part.limits],
        works=[each for part in PARTS for each in part.works],
    )
