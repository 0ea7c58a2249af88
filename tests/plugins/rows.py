"""The rows of tests/test_matrix.py for the commands of plugins: fields to try each with, and who gets what.

`PRIVATE`, as there: for a command that names a conversation or a message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

FIELDS: dict[str, Callable[[Any], dict[str, Any]]] = {
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
    "reactions.add": lambda at: {"message": at.message, "emoji": "🎉"},
    "reactions.remove": lambda at: {"message": at.message},
    "reactions.set": lambda at: {"message": at.message, "emojis": ["🎉"]},
    "reactions.list": lambda at: {"message": at.message},
    "reactions.mine": lambda at: {"messages": [at.message]},
}

#: For those who take part; for strangers there is no such message.
_OF_MESSAGE = ("unauthenticated", "not_found", "not_member", "not_found", "not_found", "ok", "ok", "ok")
PRIVATE: dict[str, tuple[str, ...]] = {
    "reactions.add": _OF_MESSAGE,
    "reactions.remove": _OF_MESSAGE,
    "reactions.set": _OF_MESSAGE,
    "reactions.list": _OF_MESSAGE,
}
