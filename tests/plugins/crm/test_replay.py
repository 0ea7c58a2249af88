"""Commands that write, and where clients are compared: none of them sends users anything.

Events of contacts are for consumers only, which tests/plugins/crm/contacts/test_machine.py compares with the tables;
so does tests/plugins/crm/lists/test_machine.py with those of lists and tags. Broadcasts post messages and work tells
its owner, which are the core's events.
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
    "crm.segments.create", "crm.segments.update", "crm.segments.check", "crm.identities.add", "crm.identities.verify",
    "crm.identities.remove", "crm.contacts.add_accounts", "crm.contacts.opt_out", "crm.contacts.opt_in",
    "crm.contacts.not_same", "crm.contacts.merge", "crm.contacts.unmerge", "crm.contacts.erase",
    "crm.duplicates.find", "crm.forms.create", "crm.forms.update", "crm.forms.delete", "crm.broadcasts.create",
    "crm.broadcasts.pause", "crm.broadcasts.resume", "crm.broadcasts.cancel",
}  # fmt: skip
