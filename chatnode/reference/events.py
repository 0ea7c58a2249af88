"""The node's durable events, for readers of the log: their fields, and the `subject` of their rows."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from chatnode.model.events import EVENTS, Event
from chatnode.protocol.codec import wire_name
from chatnode.reference.typed import shown

_MESSAGE = "the seq of the message in its conversation"
_PERSON = "the key of the person"
SUBJECTS: dict[str, str] = {
    "message.posted": _MESSAGE,
    "message.edited": _MESSAGE,
    "message.deleted": _MESSAGE,
    "message.pinned": _MESSAGE,
    "receipt.read": "the seq up to which `actor` has read",
    "receipt.delivered": "the seq up to which a device of `actor` has received messages",
    "member.joined": _PERSON,
    "member.left": _PERSON,
    "member.changed": _PERSON,
    "conversation.updated": "the key of the conversation",
    "conversation.trimmed": "the seq up to which messages were removed",
    "conversation.imported": "the seq up to which messages were imported",
    "settings.changed": "0: the settings are those of `actor`",
    "person.blocked": "the key of the user that `actor` blocked or unblocked",
    "person.updated": _PERSON,
    "person.erased": _PERSON,
    "person.adopted": "the key of the author; `actor` is the user who has the messages now",
    "session.revoked": "the key of the session, which is one of `actor`'s",
    "role.changed": "the key of the person whose role changed, or whose role has other permissions now",
    "work.changed": "the key of the work",
    "slash.invoked": "the key of the invocation, by `actor`",
    "action.invoked": "the key of the invocation, by `actor`",
    "notice.private": "the key of the notice",
}
"""By kind, what `Row.subject` and `Change.subject` are."""


def events() -> Iterator[str]:
    """Every event of the node's own."""
    for name, event in EVENTS.items():
        words = " ".join((inspect.getdoc(event) or "").partition("\n\n")[0].split())
        fields = ", ".join(f"`{wire_name(field)}: {kind}`" for field, kind in fields_of(event))
        yield f"- `{name}`, `{event.__name__}`: {words} Fields: {fields}. `subject`: {SUBJECTS[name]}."


def fields_of(event: type[Event]) -> Iterator[tuple[str, str]]:
    """The fields of an event, with their types."""
    for name, kind in inspect.get_annotations(event).items():
        yield name, shown(kind, event.__module__)
