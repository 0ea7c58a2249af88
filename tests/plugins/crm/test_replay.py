"""Commands that write, and where clients are compared: none of them sends users anything.

Events of contacts are for consumers only, which tests/plugins/crm/contacts/test_machine.py compares with the tables;
so does tests/plugins/crm/lists/test_machine.py with those of lists and tags.
"""

from __future__ import annotations

REPLAYED = {
    "crm.contacts.create", "crm.contacts.update", "crm.contacts.delete", "crm.contacts.upsert", "crm.notes.add",
    "crm.notes.delete", "crm.lists.create", "crm.lists.update", "crm.lists.archive", "crm.lists.restore",
    "crm.lists.stage", "crm.lists.delete", "crm.lists.add", "crm.lists.remove", "crm.lists.copy", "crm.lists.merge",
    "crm.lists.intersect", "crm.tags.create", "crm.tags.update", "crm.tags.delete", "crm.tags.apply", "crm.tags.remove",
    "crm.tags.clear", "crm.tags.merge", "crm.fields.define", "crm.fields.change", "crm.fields.delete",
    "crm.exports.create", "crm.exports.delete", "crm.imports.create", "crm.imports.map", "crm.imports.plan",
    "crm.imports.start", "crm.imports.undo", "crm.imports.pause", "crm.imports.resume", "crm.imports.cancel",
    "crm.imports.delete", "crm.mappings.save", "crm.mappings.delete",
}  # fmt: skip
