"""The commands, one module per subject."""

from __future__ import annotations

from chatnode_contacts.commands import contacts, labels, requests

COMMANDS = (*requests.COMMANDS, *contacts.COMMANDS, *labels.COMMANDS)
