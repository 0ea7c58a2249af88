"""Requests, replies and events."""

from __future__ import annotations

from typing import Annotated

import attrs

from chatnode.api import Event, Id, Items, Text, Whole

Question = Annotated[str, Text(300, 1)]
Option = Annotated[str, Text(100, 1)]
Cid = Annotated[str, Text(64, 1)]


@attrs.define
class StartPoll:
    """`cid` works as in `messages.post`: repeating it does not start a second poll."""

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
    """`option` is a number, counted from 0; without it the vote is withdrawn."""

    message: Id
    option: Annotated[int, Whole(0, 19)] | None = None


@attrs.define
class GetPolls:
    """The messages of polls; messages that are not polls, or that you may not see, are left out."""

    messages: Annotated[list[Id], Items(100)]


@attrs.define
class Poll:
    """A poll as the requesting user sees it: `mine` is the option that they voted for."""

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
    """A user voted: the number of votes for each option now, for everyone who can see the message. It does not name the
    user.
    """

    name = "poll.changed"
    conversation: str
    message: str
    votes: list[int]


@attrs.define
class PollVoted(Event):
    """The recipient's own vote, for all their devices; without `option` they withdrew it."""

    name = "poll.voted"
    message: str
    option: int | None = None
