"""Segments: contacts by a filter, and the dynamic lists that follow one."""

from __future__ import annotations

from chatnode.api import Part
from chatnode_crm.segments.checking import TASKS, WORKS
from chatnode_crm.segments.collection import CONTACTS
from chatnode_crm.segments.commands import COMMANDS
from chatnode_crm.segments.events import EVENTS

PART = Part(commands=COMMANDS, events=EVENTS, collections=(CONTACTS,), tasks=TASKS, works=WORKS)
