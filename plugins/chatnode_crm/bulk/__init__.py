"""Changes of the lists and tags of many contacts."""

from __future__ import annotations

from chatnode_crm.bulk.commands import COMMANDS
from chatnode_crm.bulk.running import WORKS
from chatnode_crm.part import Part

PART = Part(commands=COMMANDS, works=WORKS)
