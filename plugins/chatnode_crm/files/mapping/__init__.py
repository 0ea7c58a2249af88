"""Which column of a file is which field of a contact: suggested, chosen, and applied to rows."""

from __future__ import annotations

from chatnode_crm.files.mapping.applying import MappedRow, RowMapper, addresses_in, apply, preview
from chatnode_crm.files.mapping.consent import FoundConsent, find_consent, is_status, names_opt_out, read_opt_out
from chatnode_crm.files.mapping.dates import DateForm, read_date
from chatnode_crm.files.mapping.model import BadMapping, ColumnMapping
from chatnode_crm.files.mapping.numbers import DecimalSign, decimal_sign, is_ambiguous, read_number
from chatnode_crm.files.mapping.suggesting import Suggestion, suggest, suggested_mapping

__all__ = [
    "BadMapping",
    "ColumnMapping",
    "DateForm",
    "DecimalSign",
    "FoundConsent",
    "MappedRow",
    "RowMapper",
    "Suggestion",
    "addresses_in",
    "apply",
    "decimal_sign",
    "find_consent",
    "is_ambiguous",
    "is_status",
    "names_opt_out",
    "preview",
    "read_date",
    "read_number",
    "read_opt_out",
    "suggest",
    "suggested_mapping",
]
