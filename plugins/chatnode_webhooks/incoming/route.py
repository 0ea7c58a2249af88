"""The address of an incoming webhook: `in/<token>`. The token is the permission; nobody signs in.

Everything that a client's own message passes is asked here too: other plugins, limits, membership, the bot's account.
"""

from __future__ import annotations

from typing import Any

from chatnode.api import Context, Refusal, Request, Response, Route, new_id, now_ms
from chatnode_webhooks.incoming import answers, proof, rows
from chatnode_webhooks.incoming.converting import Converting
from chatnode_webhooks.incoming.payload import Payload, PayloadFault, read_payload
from chatnode_webhooks.incoming.repeats import cid_of
from chatnode_webhooks.incoming.rows import HookRow
from chatnode_webhooks.incoming.texts import text_of
from chatnode_webhooks.settings import WebhooksSettings

MOST_BYTES = 65_536


async def take_post(ctx: Context, request: Request) -> Response:
    """Post what a program sent, as the webhook's bot. The answer comes when the message is on disk."""
    token = request.path["token"]
    hook = await ctx.read(lambda reader: rows.find_by_token(reader, token, now_ms()))
    if hook is None:
        return answers.not_found()
    per_minute = ctx.settings(WebhooksSettings).incoming_per_minute
    if (wait := hook.wait_seconds(now_ms(), per_minute)) is not None:
        return answers.too_many(wait)
    try:
        body = await request.body()
        secrets = hook.secrets_at(now_ms())
        if hook.secret is not None and not proof.is_signed(secrets, request.headers, body, now_ms()):
            return answers.not_signed()
        if (wait := await ctx.write(lambda tx: rows.count_post(tx, hook, per_minute))) is not None:
            return answers.too_many(wait)
        payload, cid = await ctx.state(Converting).run(read_payload, body), cid_of(hook.id, request.headers) or new_id()
        return answers.accepted(await _post(ctx, hook, payload, cid))
    except PayloadFault as fault:
        return answers.invalid(fault)
    except Refusal as refusal:
        return answers.refused(refusal)


async def _post(ctx: Context, hook: HookRow, payload: Payload, cid: str) -> str:
    """The id of the message. Raises `Refusal`."""
    fields: dict[str, Any] = {
        "conversation": hook.conversation_id,
        "cid": cid,
        "text": await text_of(ctx, payload, hook.conversation_id, everyone=hook.mentions_everyone),
        "metadata": _metadata(hook, payload),
    }
    if payload.thread is not None:
        fields["thread"] = payload.thread
    return (await ctx.as_person(hook.bot_id).call("messages.post", **fields))["message"]


def _metadata(hook: HookRow, payload: Payload) -> dict[str, str]:
    """Who the program says it speaks for. It is shown beside the bot's name and never instead of it."""
    said = {"webhooks.hook": hook.id, "webhooks.via": payload.via, "webhooks.icon": payload.icon}
    return {name: value for name, value in said.items() if value is not None}


ROUTES = (
    Route(
        "in/<token>", take_post, None, ("POST",), "Post a message through an incoming webhook.",
        most_bytes=MOST_BYTES, idle_seconds=20.0,
    ),
)  # fmt: skip
