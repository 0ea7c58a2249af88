"""What polls take, give and tell."""

from __future__ import annotations

from typing import Annotated

import attrs

from chatnode.api import Event, Id, Items, Text, Whole

Question = Annotated[str, Text(300, 1)]
Option = Annotated[str, Text(100, 1)]
Cid = Annotated[str, Text(64, 1)]


@attrs.define
class StartPoll:
    """`cid` as in `messages.post`: the same one again starts no second poll."""

    conversation: Id
    cid: Cid
    question: Question
    options: Annotated[list[Option], Items(20)]


@attrs.define
class PollStarted:
    """The message that people vote on."""

    message: str


@attrs.define
class Vote:
    """For an option by its number, from 0; without one the vote is taken back."""

    message: Id
    option: Annotated[int, Whole(0, 19)] | None = None


@attrs.define
class GetPolls:
    """The messages of polls; those that are none, or that you may not see, are left out."""

    messages: Annotated[list[Id], Items(100)]


@attrs.define
class Poll:
    """A poll as the user who asks sees it: `mine` is the option that they voted for."""

    message: str
    question: str
    options: list[str]
    votes: list[int]
    mine: int | None = None


@attrs.define
class PollPage:
    """Polls in the order of their messages."""

    polls: list[Poll]


@attrs.define
class PollChanged(Event):
    """Somebody voted: how many votes each option has now. For all who see the message; it does not say who."""

    name = "poll.changed"
    conversation: str
    message: str
    votes: list[int]


@attrs.define
class PollVoted(Event):
    """The reader's own vote, for all their devices; without `option` they took it back."""

    name = "poll.voted"
    message: str
    option: int | None = None
