"""Tags, and which contacts have them."""

from __future__ import annotations

from chatnode.api import Part
from chatnode_crm.tags.collection import TAGS
from chatnode_crm.tags.commands import COMMANDS
from chatnode_crm.tags.events import EVENTS

PART = Part(commands=COMMANDS, events=EVENTS, collections=(TAGS,))
