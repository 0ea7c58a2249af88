"""Reactions, as they can be filtered, sorted and counted."""

from __future__ import annotations

from chatnode.api import CHAT, TAKES_PART, VISIBLE_MESSAGES, Collection, Field, kinds
from chatnode_reactions.emoji import TYPES, spellings_of


def _sql_of_type() -> str:
    """SQL that gives the type of an emoji, as `type_of` does."""
    cases = ""
    for type in TYPES:
        if spellings := ", ".join(f"'{emoji}'" for emoji in spellings_of(type)):
            cases += f"WHEN reaction.emoji IN ({spellings}) THEN '{type.upper()}' "
    return f"(CASE {cases}ELSE 'CUSTOM' END)"


REACTIONS = Collection(
    "message_reactions",
    "Reactions to messages that you may see, one row per user and emoji.",
    VISIBLE_MESSAGES + "AND item.deleted_at IS NULL JOIN reactions_given reaction ON reaction.message = item.key "
    "JOIN people person ON person.key = reaction.person",
    TAKES_PART,
    (
        Field("reaction_id", kinds.Integer(), "reaction.key", ("id", "reaction")),
        Field("message_id", kinds.PublicId(), "item.id", ("message",), groups=True),
        Field("conversation_id", kinds.PublicId(), "conv.id", ("conversation",), groups=True),
        Field("sender_id", kinds.PersonId(), "(SELECT o.id FROM people o WHERE o.key = item.sender)", ("sender",)),
        Field("user_id", kinds.PersonId(), "person.id", ("person",), groups=True),
        Field("user_handle", kinds.String(), "person.handle", groups=True),
        Field("reaction_emoji", kinds.String(), "reaction.emoji", ("emoji",), groups=True),
        Field(
            "reaction_type", kinds.Choice(tuple(type.upper() for type in TYPES)), _sql_of_type(), ("type",),
            groups=True,
        ),
        Field("created_at", kinds.Timestamp(), "reaction.at", ("at",)),
    ),
    key=("reaction_id",), order="-created_at", permission=CHAT,
)  # fmt: skip
