"""Lists: static, dynamic and campaign lists, and who is on them."""

from __future__ import annotations

from chatnode_crm.lists.events import EVENTS
from chatnode_crm.part import Part

PART = Part(events=EVENTS)
