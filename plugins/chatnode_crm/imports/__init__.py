"""Imports, in stages that are stored, so that they can be resumed and undone."""

from __future__ import annotations

from chatnode_crm.part import Part

PART = Part()
