"""Which column of a file is which field of a contact: suggested, chosen, and applied to rows."""

from __future__ import annotations

from chatnode_crm.files.mapping.applying import MappedRow, RowMapper, apply, preview
from chatnode_crm.files.mapping.model import BadMapping, ColumnMapping, DateForm
from chatnode_crm.files.mapping.suggesting import Suggestion, suggest, suggested_mapping

__all__ = [
    "BadMapping",
    "ColumnMapping",
    "DateForm",
    "MappedRow",
    "RowMapper",
    "Suggestion",
    "apply",
    "preview",
    "suggest",
    "suggested_mapping",
]
