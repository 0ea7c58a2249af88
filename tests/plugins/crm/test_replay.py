"""Commands that write, and where clients are compared: none of them sends users anything.

Events of contacts are for consumers only, which tests/plugins/crm/contacts/test_machine.py compares with the tables.
"""

from __future__ import annotations

REPLAYED = {
    "crm.contacts.create", "crm.contacts.update", "crm.contacts.delete", "crm.contacts.upsert", "crm.notes.add",
    "crm.notes.delete", "crm.fields.define", "crm.fields.change", "crm.fields.delete",
}  # fmt: skip
