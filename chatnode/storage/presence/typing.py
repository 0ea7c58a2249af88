"""Access checks for typing indicators."""

from __future__ import annotations

from chatnode.errors import Refusal
from chatnode.model.people import Account
from chatnode.storage.conversations import conversations
from chatnode.storage.conversations.conversations import Place
from chatnode.storage.engine.connection import Reader
from chatnode.storage.presence import presence


def access(reader: Reader, account: Account, conversation: str) -> tuple[Place, set[str]]:
    """The conversation, for a user who may post there, and the ids of users they have blocked.

    Raises `Refusal`, also for a closed conversation, and for a direct one where either user has blocked the other.
    """
    place = conversations.access(reader, account, conversation)
    conversations.refuse_closed(place)
    if place.kind == "direct" and _blocks(reader, account, place):
        raise Refusal("forbidden", "one of you has blocked the other", path="conversation")
    return place, presence.blocked_by(reader, account.key)


def _blocks(reader: Reader, account: Account, place: Place) -> bool:
    row = reader.execute(
        "SELECT 1 FROM members m JOIN blocks b ON (b.person = m.person AND b.blocked = :me) "
        "OR (b.person = :me AND b.blocked = m.person) WHERE m.conversation = :conversation AND m.person <> :me",
        {"me": account.key, "conversation": place.key},
    ).fetchone()
    return row is not None
