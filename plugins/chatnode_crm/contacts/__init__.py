"""Contacts: who they are, what they are like, and every change of them."""

from __future__ import annotations

from chatnode_crm.contacts.events import EVENTS
from chatnode_crm.part import Part

PART = Part(events=EVENTS)
