"""Lists: static, dynamic and campaign lists, and who is on them."""

from __future__ import annotations

from chatnode.api import Part, Task
from chatnode_crm.lists.collection import LISTS
from chatnode_crm.lists.commands import COMMANDS
from chatnode_crm.lists.events import EVENTS
from chatnode_crm.lists.upkeep import archive_unused, remove_rows

PART = Part(
    commands=COMMANDS,
    events=EVENTS,
    collections=(LISTS,),
    tasks=(Task("lists_archive", archive_unused, every=86_400), Task("lists_sweep", remove_rows, every=3_600)),
)
