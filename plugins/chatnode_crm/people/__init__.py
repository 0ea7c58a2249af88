"""How contacts and the users of the node are the same people."""

from __future__ import annotations

from chatnode_crm.part import Part

PART = Part()
