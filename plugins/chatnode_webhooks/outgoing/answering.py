"""Answers to slash commands and buttons that come with the reply of an endpoint, in Slack's form:
`{"response_type": "ephemeral", "text": "…"}`, or `in_channel` for all members."""

from __future__ import annotations

from typing import Any, cast

import attrs
import orjson

from chatnode.api import ActionInvoked, Context, Reader, Refusal, SlashInvoked, person_by_key, record
from chatnode_webhooks.outgoing.attempts import Attempt
from chatnode_webhooks.outgoing.endpoints import Endpoint
from chatnode_webhooks.outgoing.envelopes import webhook_id
from chatnode_webhooks.outgoing.reading import Heard

INVOCATIONS = frozenset({SlashInvoked.name, ActionInvoked.name})
MOST_MS = 3_000
"""What takes longer to answer answers no invocation, as with Slack."""
_VISIBLE = {"ephemeral": "only_you", "in_channel": "all"}


@record(frozen=True)
class GivenAnswer:
    """What a program answers to an invocation."""

    text: str
    visible: str


async def pass_on(ctx: Context, endpoint: Endpoint, heard: Heard, attempt: Attempt) -> Attempt:
    """Answer an invocation as the bot, with what its endpoint replied.

    The answer has the id of the event, so that one that is sent again is answered once. An answer that is refused does
    not make the attempt fail, but is told in it.
    """
    if heard.kind not in INVOCATIONS or endpoint.bot is None or attempt.outcome != "sent" or attempt.ms > MOST_MS:
        return attempt
    try:
        found = read_answer(attempt.body)
        if found is not None:
            await _give(ctx, endpoint.bot, heard, found)
    except Refusal as refusal:
        return attrs.evolve(attempt, error=f"its answer was refused: {refusal.message}")
    return attempt


def read_answer(body: bytes) -> GivenAnswer | None:
    """The answer in a body. None for anything but an object with a `text`: most receivers say no more than ok.

    Raises `Refusal` for one whose fields are wrong.
    """
    try:
        found = orjson.loads(body)
    except ValueError:
        return None
    if not isinstance(found, dict) or "text" not in found:
        return None
    fields = cast("dict[str, Any]", found)
    text, kind = fields["text"], fields.get("response_type", "ephemeral")
    if not isinstance(text, str):
        raise Refusal("invalid", "must be a string", path="text")
    if not isinstance(kind, str) or kind not in _VISIBLE:
        raise Refusal("invalid", "response_type must be ephemeral or in_channel", path="response_type")
    return GivenAnswer(text, _VISIBLE[kind]) if text.strip() else None


async def _give(ctx: Context, bot: int, heard: Heard, given: GivenAnswer) -> None:
    def read(reader: Reader) -> str:
        return person_by_key(reader, bot).id

    await ctx.as_person(await ctx.read(read)).call(
        "slash.reply", invocation=heard.event["invocation"], text=given.text, visible=given.visible,
        cid=webhook_id(ctx.epoch, heard.gid),
    )  # fmt: skip
