"""The rows of tests/test_matrix.py for the commands of plugins: fields to try each with, and who gets what.

`PRIVATE`, as there: for a command that names a conversation or a message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

NO_FILE = "0" * 32
"""Who gets which file is tried in tests/plugins/attachments/serving and messages."""
NO_CONTACT = "0" * 32
"""Who may do what with contacts is tried in tests/plugins/crm/test_authorization.py."""

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
    "crm.exports.create": lambda at: {"contacts": {"all": True}},
    "crm.exports.get": lambda at: {"export": NO_FILE},
    "crm.exports.list": lambda at: {},
    "crm.exports.link": lambda at: {"export": NO_FILE},
    "crm.exports.delete": lambda at: {"export": NO_FILE},
    "crm.contacts.create": lambda at: {"email": "ada@example.org"},
    "crm.contacts.get": lambda at: {"contact": NO_CONTACT},
    "crm.contacts.update": lambda at: {"contact": NO_CONTACT, "city": "London"},
    "crm.contacts.delete": lambda at: {"contact": NO_CONTACT},
    "crm.contacts.list": lambda at: {},
    "crm.contacts.search": lambda at: {"query": "ada"},
    "crm.contacts.timeline": lambda at: {"contact": NO_CONTACT},
    "crm.contacts.history": lambda at: {"contact": NO_CONTACT},
    "crm.contacts.upsert": lambda at: {"contacts": [{"email": "ada@example.org"}]},
    "crm.contacts.changes": lambda at: {},
    "crm.notes.add": lambda at: {"contact": NO_CONTACT, "text": "a note"},
    "crm.notes.list": lambda at: {"contact": NO_CONTACT},
    "crm.notes.delete": lambda at: {"note": NO_CONTACT},
    "crm.fields.list": lambda at: {},
    "crm.fields.define": lambda at: {"name": "size"},
    "crm.fields.change": lambda at: {"field": "size", "name": "shoe_size"},
    "crm.fields.delete": lambda at: {"field": "size"},
    "crm.lists.create": lambda at: {"name": "Newsletter"},
    "crm.lists.get": lambda at: {"list": "Newsletter"},
    "crm.lists.update": lambda at: {"list": "Newsletter", "description": "weekly"},
    "crm.lists.archive": lambda at: {"list": "Newsletter"},
    "crm.lists.restore": lambda at: {"list": "Newsletter"},
    "crm.lists.stage": lambda at: {"list": "Newsletter", "stage": "population"},
    "crm.lists.delete": lambda at: {"list": "Newsletter"},
    "crm.lists.list": lambda at: {},
    "crm.lists.members": lambda at: {},
    "crm.lists.of": lambda at: {"contact": NO_CONTACT},
    "crm.lists.overlap": lambda at: {"lists": ["Newsletter"]},
    "crm.lists.add": lambda at: {"list": "Newsletter", "contacts": [NO_CONTACT]},
    "crm.lists.remove": lambda at: {"list": "Newsletter", "contacts": [NO_CONTACT]},
    "crm.lists.copy": lambda at: {"list": "Newsletter"},
    "crm.lists.merge": lambda at: {"sources": ["Newsletter"], "into": "Customers"},
    "crm.lists.intersect": lambda at: {"lists": ["Newsletter"], "name": "Both"},
    "crm.tags.create": lambda at: {"name": "VIP"},
    "crm.tags.get": lambda at: {"tag": "VIP"},
    "crm.tags.update": lambda at: {"tag": "VIP", "color": "#FFD700"},
    "crm.tags.delete": lambda at: {"tag": "VIP"},
    "crm.tags.list": lambda at: {},
    "crm.tags.of": lambda at: {"contact": NO_CONTACT},
    "crm.tags.contacts": lambda at: {"any": ["VIP"]},
    "crm.tags.apply": lambda at: {"tags": ["VIP"], "contacts": [NO_CONTACT]},
    "crm.tags.remove": lambda at: {"tags": ["VIP"], "contacts": [NO_CONTACT]},
    "crm.tags.clear": lambda at: {"tag": "VIP"},
    "crm.tags.merge": lambda at: {"sources": ["Lead"], "into": "VIP"},
    "crm.statistics.growth": lambda at: {},
    "crm.statistics.lists": lambda at: {},
    "crm.statistics.tags": lambda at: {},
    "crm.statistics.geography": lambda at: {},
    "crm.contacts.implausible": lambda at: {},
    "crm.segments.preview": lambda at: {"filter": {"city": {"_eq": "London"}}},
    "crm.segments.create": lambda at: {"name": "Londoners", "filter": {"city": {"_eq": "London"}}},
    "crm.segments.update": lambda at: {"list": NO_CONTACT, "filter": {}},
    "crm.segments.check": lambda at: {"list": NO_CONTACT},
    "crm.segments.get": lambda at: {"list": NO_CONTACT},
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
