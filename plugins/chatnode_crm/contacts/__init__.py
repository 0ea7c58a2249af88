"""Contacts: who they are, what they are like, and every change of them."""

from __future__ import annotations

from chatnode.api import Part
from chatnode_crm.contacts.commands import COMMANDS
from chatnode_crm.contacts.events import EVENTS
from chatnode_crm.contacts.upkeep import TASK

PART = Part(commands=COMMANDS, events=EVENTS, tasks=(TASK,))
