"""SQL for "messages that I may see", to build queries with. `:me` is the key of the requesting user."""

from __future__ import annotations

from chatnode.storage.engine.dialect import usually

TAKES_PART = "mine.person = :me AND mine.left_gid IS NULL"
"""SQL, a condition on `members mine`: that the user is a member of the conversation."""

_JOIN_MESSAGES = "JOIN messages item ON item.conversation = mine.conversation"

# Most messages pass what is `usually` so, so that a better index is taken where a filter or the order has one.
VISIBLE_MESSAGES = (
    "members mine JOIN conversations conv ON conv.key = mine.conversation "
    f"{_JOIN_MESSAGES} AND {usually('item.seq >= mine.first')} "
)
"""SQL to put after FROM: with the condition `TAKES_PART`, `messages item` are those that the user may see, including
deleted ones, in `conversations conv`. You may join more tables."""

CONVERSATION, SEQ, TIME = "conv.id", "item.seq", "item.at"
"""SQL, columns of `VISIBLE_MESSAGES`."""


def shows_messages(source: str) -> bool:
    """Whether this SQL after FROM is made of `VISIBLE_MESSAGES`."""
    return _JOIN_MESSAGES in source


def may_see_message(message: str) -> str:
    """SQL, a condition: whether the user may see the message; `message` is the query's alias of `messages`."""
    return (
        f"EXISTS (SELECT 1 FROM members seer WHERE seer.conversation = {message}.conversation "  # noqa: S608
        f"AND seer.person = :me AND seer.left_gid IS NULL AND seer.first <= {message}.seq)"
    )
