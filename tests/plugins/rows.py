"""The rows of tests/test_matrix.py for the commands of plugins: fields to try each with, and who gets what.

`PRIVATE`, as there: for a command that names a conversation or a message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

NO_FILE = "0" * 32
"""Who gets which file is tried in tests/plugins/attachments/serving and messages."""

NO_IMPORT = "0" * 32
"""What becomes of imports is tried in tests/plugins/crm/imports."""

FIELDS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "attachments.uploads": lambda at: {},
    "attachments.usage": lambda at: {},
    "attachments.list": lambda at: {"message": at.message},
    "attachments.get": lambda at: {"file": NO_FILE},
    "attachments.copy": lambda at: {"file": NO_FILE},
    "attachments.remove": lambda at: {"message": at.message, "file": NO_FILE},
    "attachments.link": lambda at: {"file": NO_FILE},
    "attachments.avatar.set": lambda at: {"conversation": at.conversation, "file": NO_FILE},
    "attachments.report": lambda at: {},
    "attachments.check": lambda at: {},
    "attachments.collect": lambda at: {},
    "attachments.stored": lambda at: {"person": at.spare},
    "attachments.quarantine": lambda at: {"file": NO_FILE},
    "attachments.release": lambda at: {"file": NO_FILE},
    "attachments.rescan": lambda at: {},
    "contacts.request": lambda at: {"person": at.spare},
    "contacts.accept": lambda at: {"person": at.spare},
    "contacts.decline": lambda at: {"person": at.spare},
    "contacts.cancel": lambda at: {"person": at.spare},
    "contacts.requests": lambda at: {},
    "contacts.list": lambda at: {},
    "contacts.get": lambda at: {"person": at.spare},
    "contacts.add": lambda at: {"person": at.spare},
    "contacts.update": lambda at: {"person": at.spare, "nickname": "spare"},
    "contacts.remove": lambda at: {"person": at.spare},
    "contacts.labels.list": lambda at: {},
    "contacts.labels.rename": lambda at: {"kind": "group", "name": "work", "to": "office"},
    "contacts.labels.delete": lambda at: {"kind": "group", "name": "work"},
    "crm.imports.create": lambda at: {"text": "email,first_name,last_name\na@example.com,A,B\n"},
    "crm.imports.list": lambda at: {},
    "crm.imports.get": lambda at: {"import": NO_IMPORT},
    "crm.imports.detect": lambda at: {"import": NO_IMPORT},
    "crm.imports.preview": lambda at: {"import": NO_IMPORT},
    "crm.imports.map": lambda at: {"import": NO_IMPORT},
    "crm.imports.plan": lambda at: {"import": NO_IMPORT},
    "crm.imports.start": lambda at: {"import": NO_IMPORT},
    "crm.imports.pause": lambda at: {"import": NO_IMPORT},
    "crm.imports.resume": lambda at: {"import": NO_IMPORT},
    "crm.imports.cancel": lambda at: {"import": NO_IMPORT},
    "crm.imports.rows": lambda at: {"import": NO_IMPORT},
    "crm.imports.errors": lambda at: {"import": NO_IMPORT},
    "crm.imports.undo": lambda at: {"import": NO_IMPORT},
    "crm.imports.delete": lambda at: {"import": NO_IMPORT},
    "crm.mappings.list": lambda at: {},
    "crm.mappings.save": lambda at: {"import": NO_IMPORT, "name": "a shop"},
    "crm.mappings.delete": lambda at: {"mapping": "a shop"},
    "reactions.add": lambda at: {"message": at.message, "emoji": "🎉"},
    "reactions.remove": lambda at: {"message": at.message},
    "reactions.set": lambda at: {"message": at.message, "emojis": ["🎉"]},
    "reactions.list": lambda at: {"message": at.message},
    "reactions.mine": lambda at: {"messages": [at.message]},
}

#: For those who take part; for strangers there is no such message.
_OUT = ("unauthenticated", "not_found", "not_member", "not_found", "not_found")
_OF_MESSAGE = (*_OUT, "ok", "ok", "ok")
PRIVATE: dict[str, tuple[str, ...]] = {
    "attachments.list": _OF_MESSAGE,
    "attachments.remove": (*_OUT, "forbidden", "forbidden", "not_found"),
    "attachments.avatar.set": (*_OUT, "forbidden", "not_found", "not_found"),
    "reactions.add": _OF_MESSAGE,
    "reactions.remove": _OF_MESSAGE,
    "reactions.set": _OF_MESSAGE,
    "reactions.list": _OF_MESSAGE,
}
#: Where a direct conversation differs.
_NOT_THERE = ("unauthenticated", *["not_found"] * 4)
DIRECT: dict[str, tuple[str, ...]] = {
    "attachments.remove": (*_NOT_THERE, "forbidden", "not_found", "not_found"),
    "attachments.avatar.set": (*_NOT_THERE, "forbidden", "not_found", "forbidden"),
}
