"""Answers to slash commands and buttons that come later: to the `response_url` that an endpoint of a bot is given.

The address is a permission to answer this one invocation, as often and for as long as the bot may. It works without a
token, and ends when the endpoint is removed.
"""

from __future__ import annotations

import attrs

from chatnode.api import Context, Reader, Refusal, Request, Response, Route
from chatnode_webhooks.incoming import answers
from chatnode_webhooks.incoming.converting import Converting
from chatnode_webhooks.incoming.payload import PayloadFault
from chatnode_webhooks.incoming.repeats import cid_of
from chatnode_webhooks.outgoing import endpoints
from chatnode_webhooks.outgoing.answering import INVOCATIONS, post_answer, read_answer
from chatnode_webhooks.outgoing.endpoints import Endpoint
from chatnode_webhooks.outgoing.reading import Heard

FIELD = "response_url"
MOST_BYTES = 65_536
SECONDS = 86_400
"""Nothing is answered for longer; how long exactly is up to the node (`bots.reply_minutes`)."""
_PURPOSE = "answer"


def with_address(ctx: Context, endpoint: Endpoint, heard: Heard) -> Heard:
    """An invocation with the address for answers; any other event as it is."""
    if heard.kind not in INVOCATIONS or endpoint.bot is None:
        return heard
    named = endpoint.id, heard.event["conversation"], heard.event["invocation"]
    address = ctx.url("/".join(("answers", *named, ctx.sign(_PURPOSE, *named, seconds=SECONDS))))
    return attrs.evolve(heard, event=heard.event | {FIELD: address})


async def take_answer(ctx: Context, request: Request) -> Response:
    """Answer an invocation with what a program sent, as the bot. The answer comes when it is on disk."""
    endpoint, conversation, invocation = (request.path[name] for name in ("endpoint", "conversation", "invocation"))
    if not ctx.verify(request.path["signature"], _PURPOSE, endpoint, conversation, invocation):
        return answers.not_found()
    try:
        bot = await ctx.read(lambda reader: _bot(reader, endpoint))
        given = await ctx.state(Converting).run(read_answer, await request.body())
        cid = cid_of(invocation, request.headers)
        return answers.accepted(await post_answer(ctx, bot, conversation, invocation, given, cid))
    except PayloadFault as fault:
        return answers.invalid(fault)
    except Refusal as refusal:
        match refusal.path:
            case "endpoint":
                return answers.not_found()
            case "invocation":
                return answers.expired(refusal.message)
            case "conversation" if refusal.code in ("not_member", "not_found"):
                return answers.expired("the bot is no longer in the conversation")
            case _:
                return answers.refused(refusal)


def _bot(reader: Reader, id: str) -> int:
    """The key of the endpoint's bot. Raises `Refusal` for an endpoint that was removed."""
    bot = endpoints.find(reader, id).bot
    if bot is None:
        raise endpoints.no_such_endpoint()
    return bot


ROUTES = (
    Route(
        "answers/<endpoint>/<conversation>/<invocation>/<signature>", take_answer, None, ("POST",),
        "Answer a slash command or a button.", most_bytes=MOST_BYTES, idle_seconds=20.0,
    ),
)  # fmt: skip
