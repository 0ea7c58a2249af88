"""Figures: growth, sizes of lists, use of tags, where contacts are."""

from __future__ import annotations

from chatnode_crm.part import Part

PART = Part()
