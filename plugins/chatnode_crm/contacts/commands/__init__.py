"""The commands, one module per subject."""

from __future__ import annotations

from chatnode_crm.contacts.commands import bulk, contacts, fields, notes, reading

COMMANDS = (*contacts.COMMANDS, *reading.COMMANDS, *bulk.COMMANDS, *notes.COMMANDS, *fields.COMMANDS)
