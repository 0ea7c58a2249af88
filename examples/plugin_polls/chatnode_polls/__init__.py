"""Polls: messages with options that users vote on. Everyone who can see one gets the counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from chatnode.api import (
    CHAT,
    Account,
    Context,
    EventKind,
    Plugin,
    Querying,
    Refusal,
    command,
    hookimpl,
)

from . import storage
from .model import GetPolls, Poll, PollChanged, PollPage, PollStarted, PollVoted, StartPoll, Vote


@command("polls.start", permission=CHAT)
async def start(ctx: Context, asked: StartPoll) -> PollStarted:
    """Post a poll. Clients without support for polls show its text.

    The user is the sender, so limits and moderation apply to the message as to any other. If the node stops between
    posting the message and storing the poll, sending the command again completes it.
    """
    if len(asked.options) < 2:
        raise Refusal("invalid", "a poll needs at least 2 options", path="options")
    lines = [asked.question, *(f"{number}. {option}" for number, option in enumerate(asked.options, 1))]
    posted = await ctx.call("messages.post", conversation=asked.conversation, cid=asked.cid, text="\n".join(lines))
    await ctx.write(partial(storage.add, asked=asked, message=posted["message"]), repeatable=True)
    return PollStarted(posted["message"])


@command("polls.vote", permission=CHAT, limit="changes")
async def vote(ctx: Context, asked: Vote) -> Poll:
    """Vote, change your vote, or take it back."""
    function = partial(storage.vote, account=ctx.me, message=asked.message, option=asked.option)
    return await ctx.write(function, repeatable=True)


@command("polls.get", permission=CHAT, reads=True)
async def get(ctx: Context, asked: GetPolls) -> PollPage:
    """Polls with their counts, and what you voted for."""
    return PollPage(await ctx.read(lambda reader: storage.polls(reader, ctx.me, asked.messages)))


@hookimpl
def enrich_messages(reader: Querying, ids: Sequence[str], viewer: Account | None) -> Mapping[str, Any]:
    """`extra.polls` of each message that is a poll: the counts, and `mine`, the viewer's own vote, if there is one."""
    return storage.shown(reader, ids, viewer)


@hookimpl
def chatnode_plugin() -> Plugin:
    """The declaration."""
    return Plugin(
        name="polls",
        version="1.0",
        api="2.0",
        about="Messages to vote on.",
        steps=storage.STEPS,
        tables=(storage.POLLS, storage.VOTES),
        commands=(start, vote, get),
        events=(
            EventKind(PollChanged, storage.make_changed, of_message=True),
            EventKind(PollVoted, storage.make_voted),
        ),
    )
