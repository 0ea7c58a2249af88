"""Broadcasts: a bot's message to every contact of a list that has a conversation."""

from __future__ import annotations

from chatnode_crm.part import Part

PART = Part()
