"""Events about messages, made again from the tables: as the message is now, for users who may see it now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chatnode.model.events import Event, MessageDeleted, MessageEdited, MessagePinned, MessagePosted
from chatnode.storage.engine.additions import EventKind
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.row import Row
from chatnode.storage.log import log
from chatnode.storage.messages import messages


def _about_message(kind: Any) -> Callable[[Reader, Row], Event | None]:
    def make(reader: Reader, row: Row) -> Event | None:
        assert row.conversation_key is not None
        message = messages.at_seq(reader, row.conversation_key, row.subject)
        if message is None:
            return None
        if message.replies is not None:  # those that came later have events of their own, and are counted there
            message.replies = messages.replies_until(reader, row.conversation_key, message.seq, row.gid)
        if kind is not MessagePosted:
            messages.enrich(reader, [message])
        return kind(row.conversation, message)

    return make


def _as_it_may_be_seen(reader: Reader, person: int, row: Row, event: Event) -> Event:
    """A user who no longer sees the message has heard it then, and gets it as it was posted."""
    assert isinstance(event, MessagePosted)
    assert row.conversation_key is not None
    if not event.message.changed:
        return event
    first = log.first_seen(reader, row.conversation_key, person)
    if first is not None and event.message.seq >= first:
        return event
    return MessagePosted(event.conversation, messages.as_posted(reader, row.conversation_key, event.message))


EVENTS = (
    EventKind(MessagePosted, _about_message(MessagePosted), of_message=True, show=_as_it_may_be_seen),
    EventKind(MessageEdited, _about_message(MessageEdited), of_message=True),
    EventKind(MessageDeleted, _about_message(MessageDeleted), of_message=True),
    EventKind(MessagePinned, _about_message(MessagePinned), of_message=True),
)
