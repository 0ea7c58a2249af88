"""Tags, and which contacts have them."""

from __future__ import annotations

from chatnode_crm.part import Part

PART = Part()
