"""What the commands take and give, the event, and the settings."""

from __future__ import annotations

from typing import Annotated

from chatnode.api import Emoji, Event, Id, Items, PersonRef, Whole, record, setting
from chatnode_reactions.emoji import ReactionType


@record(frozen=True)
class ReactionsSettings:
    """Reactions to messages."""

    per_person: int = setting(
        1,
        "Maximum number of different reactions of a user to a message; with 1, a new reaction replaces the old one.",
        minimum=1,
    )
    emoji_per_message: int = setting(
        20, "Maximum number of different emoji on a message, by all users together; 0 means no limit.", minimum=0
    )
    changes_per_minute: int = setting(
        120, "Maximum number of reactions added or removed per user and minute; 0 means no limit.", minimum=0
    )


@record
class Counted:
    """An emoji on a message. `people` are the first users who reacted with it, at most three."""

    emoji: str
    type: ReactionType
    count: int
    people: list[PersonRef]


@record
class ReactionChanged(Event):
    """A user's reactions to a message changed: `emojis` are all of them now.

    `counts` are those of the whole message, in the order in which each emoji was first used.
    """

    name = "reaction.changed"
    conversation: str
    message: str
    person: PersonRef
    emojis: list[str]
    counts: dict[str, int]
    at: str


# ---- commands


@record
class AddReaction:
    """An `emoji`, or a `type` that has its own emoji."""

    message: Id
    emoji: Emoji | None = None
    type: ReactionType | None = None


@record
class RemoveReaction:
    """An `emoji` or a `type`; without either, all of the requester's reactions to the message."""

    message: Id
    emoji: Emoji | None = None
    type: ReactionType | None = None


@record
class SetReactions:
    """`emojis` replace the requester's reactions, in this order."""

    message: Id
    emojis: Annotated[list[Emoji], Items(100)]


@record
class ReactionPage:
    """The message's reactions now; `mine` are the requester's."""

    message: str
    mine: list[str]
    reactions: list[Counted]


@record
class ListReactions:
    """Only those with an emoji or of a type, if one is given. `after` takes the `next` of the previous page."""

    message: Id
    emoji: Emoji | None = None
    type: ReactionType | None = None
    after: Annotated[int, Whole(0)] = 0
    limit: Annotated[int, Whole(1)] = 50


@record
class Reaction:
    """A reaction. `reaction` is its increasing number."""

    reaction: int
    person: PersonRef
    emoji: str
    type: ReactionType
    at: str


@record
class ReactionsListed:
    """Oldest first. `counts` are those of the whole message; `next` is absent on the last page."""

    reactions: list[Reaction]
    counts: dict[str, int]
    next: int | None = None


@record
class MyReactions:
    # In a query of HTTP, more would not fit into the head of a request.
    messages: Annotated[list[Id], Items(200)]


@record
class Mine:
    message: str
    emojis: list[str]


@record
class OwnReactionList:
    """The messages that the requester reacted to, in no particular order."""

    messages: list[Mine]
