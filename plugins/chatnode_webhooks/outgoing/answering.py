"""Answers to slash commands and buttons that come with the reply of an endpoint, in Slack's form:
`{"response_type": "ephemeral", "text": "…"}`, or `in_channel` for all members."""

from __future__ import annotations

from typing import Any

import attrs

from chatnode.api import ActionInvoked, Context, Reader, Refusal, SlashInvoked, person_by_key, record
from chatnode_webhooks.incoming.converting import Converting
from chatnode_webhooks.incoming.payload import Payload, PayloadFault, payload_of, read_object
from chatnode_webhooks.incoming.texts import text_of
from chatnode_webhooks.outgoing.attempts import Attempt
from chatnode_webhooks.outgoing.endpoints import Endpoint
from chatnode_webhooks.outgoing.envelopes import webhook_id
from chatnode_webhooks.outgoing.reading import Heard

INVOCATIONS = frozenset({SlashInvoked.name, ActionInvoked.name})
MOST_MS = 3_000
"""What takes longer to answer answers no invocation, as with Slack."""
_VISIBLE = {"ephemeral": "only_you", "in_channel": "all"}
_READ = ("text", "attachments", "blocks", "text_format", "link_names")
"""The fields of a payload that an answer has. Others, such as a thread, it cannot choose."""
_ORIGINAL = ("replace_original", "delete_original")


@record(frozen=True)
class GivenAnswer:
    """What a program answers to an invocation; `visible` as in the command `slash.reply`."""

    payload: Payload
    visible: str


async def pass_on(ctx: Context, endpoint: Endpoint, heard: Heard, attempt: Attempt) -> Attempt:
    """Answer an invocation as the bot, with what its endpoint replied.

    The answer has the id of the event, so that one that is sent again is answered once. An answer that is refused does
    not make the attempt fail, but is told in it.
    """
    bot = endpoint.bot
    if heard.kind not in INVOCATIONS or bot is None or attempt.outcome != "sent" or attempt.ms > MOST_MS:
        return attempt
    try:
        given = await ctx.state(Converting).run(_answer_in, attempt.body)
        if given is not None:
            conversation, invocation = heard.event["conversation"], heard.event["invocation"]
            await post_answer(ctx, bot, conversation, invocation, given, webhook_id(ctx.epoch, heard.gid))
    except PayloadFault as fault:
        return attrs.evolve(attempt, error=f"its answer was refused: {fault}")
    except Refusal as refusal:
        return attrs.evolve(attempt, error=f"its answer was refused: {refusal.message}")
    return attempt


def _answer_in(body: bytes) -> GivenAnswer | None:
    """None for a reply that is no answer: most receivers say no more than ok. Raises `PayloadFault`."""
    try:
        found = read_object(body)
    except PayloadFault:
        return None
    text = found.get("text")
    says_something = bool(text.strip() if isinstance(text, str) else text)
    return _answer(found) if says_something or found.get("attachments") else None


def read_answer(body: bytes) -> GivenAnswer:
    """The answer in a body that must be one. Raises `PayloadFault`."""
    return _answer(read_object(body))


def _answer(found: dict[str, Any]) -> GivenAnswer:
    kind = found.get("response_type", "ephemeral")
    if not isinstance(kind, str) or kind not in _VISIBLE:
        raise PayloadFault("response_type", "must be ephemeral or in_channel")
    for name in _ORIGINAL:
        if found.get(name) not in (None, False, "false"):
            raise PayloadFault(name, "is not understood; the bot may edit or delete its message")
    return GivenAnswer(payload_of({name: found[name] for name in _READ if name in found}), _VISIBLE[kind])


async def post_answer(
    ctx: Context, bot: int, conversation: str, invocation: str, given: GivenAnswer, cid: str | None
) -> str | None:
    """Answer as the bot with this key; returns the id of the message, if it is visible to all. Raises `Refusal`."""

    def read(reader: Reader) -> str:
        return person_by_key(reader, bot).id

    once = {} if cid is None else {"cid": cid}
    replied: dict[str, Any] = await ctx.as_person(await ctx.read(read)).call(
        "slash.reply", invocation=invocation, text=await text_of(ctx, given.payload, conversation, everyone=True),
        visible=given.visible, **once,
    )  # fmt: skip
    return replied.get("message")
