"""Segments: contacts by a filter, and the dynamic lists that follow one."""

from __future__ import annotations

from chatnode_crm.part import Part

PART = Part()
