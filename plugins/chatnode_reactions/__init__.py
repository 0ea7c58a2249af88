"""Reactions: users react to messages with emoji; all who see the message see the counts and the users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chatnode.api import EventKind, Limit, Plugin, Querying, Table, hookimpl, steps_in
from chatnode_reactions import storage
from chatnode_reactions.collection import REACTIONS
from chatnode_reactions.commands import COMMANDS, LIMIT
from chatnode_reactions.model import ReactionChanged, ReactionsSettings

_GIVEN = Table(
    "reactions_given", people=("person",), message="message",
    export="SELECT g.key, m.id AS message, c.id AS conversation, g.emoji, g.at FROM reactions_given g "
    "JOIN messages m ON m.key = g.message JOIN conversations c ON c.key = m.conversation "
    "WHERE g.person = :person AND g.key > :after ORDER BY g.key LIMIT :limit",
)  # fmt: skip
# What is counted goes with what was given, by triggers (schema/0001_reactions.sql): a person's too.
_COUNTED = Table("reactions_counted", message="message")


@hookimpl
def chatnode_plugin() -> Plugin:
    """The declaration."""
    return Plugin(
        name="reactions",
        version="0.1.0",
        api="2.0",
        about="Emoji reactions to messages.",
        settings=ReactionsSettings,
        steps=steps_in(__name__),
        tables=(_GIVEN, _COUNTED),
        limits=(Limit(LIMIT, "reactions", "changes_per_minute"),),
        commands=COMMANDS,
        events=(EventKind(ReactionChanged, storage.make_changed, of_message=True),),
        collections=(REACTIONS,),
        check=storage.check,
    )


@hookimpl
def enrich_messages(reader: Querying, ids: Sequence[str]) -> Mapping[str, Any]:
    """`extra.reactions` of each message that has any; deleted ones have none."""
    return storage.shown(reader, ids)
