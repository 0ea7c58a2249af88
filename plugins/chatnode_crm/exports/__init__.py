"""Exports, and the links that they are downloaded by."""

from __future__ import annotations

from chatnode_crm.part import Part

PART = Part()
