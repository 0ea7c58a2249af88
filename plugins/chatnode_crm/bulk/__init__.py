"""Changes of the lists and tags of many contacts."""

from __future__ import annotations

from chatnode.api import Part
from chatnode_crm.bulk.commands import COMMANDS
from chatnode_crm.bulk.running import WORKS

PART = Part(commands=COMMANDS, works=WORKS)
