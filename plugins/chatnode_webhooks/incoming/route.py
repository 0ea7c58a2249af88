"""The address of an incoming webhook: `in/<token>`. The token is the permission; nobody signs in.

Everything that a client's own message passes is asked here too: other plugins, limits, membership, the bot's account.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from chatnode.api import Context, Reader, Refusal, Request, Response, Route, new_id, now_ms
from chatnode_webhooks.incoming import answers, proof, rows, wording
from chatnode_webhooks.incoming.converting import Converting
from chatnode_webhooks.incoming.naming import without_mentions
from chatnode_webhooks.incoming.payload import Payload, PayloadFault, read_payload
from chatnode_webhooks.incoming.rows import HookRow
from chatnode_webhooks.settings import WebhooksSettings

MOST_BYTES = 65_536
_IDS = ("webhook-id", "idempotency-key", "x-github-delivery")
"""Header fields that name a post. The first one is part of what is signed."""
_MOST_ID = 255


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
        payload, cid = await ctx.state(Converting).run(read_payload, body), _cid(hook, request.headers)
        if (wait := await ctx.write(lambda tx: rows.count_post(tx, hook, per_minute))) is not None:
            return answers.too_many(wait)
        return answers.accepted(await _post(ctx, hook, payload, cid))
    except PayloadFault as fault:
        return answers.invalid(fault)
    except Refusal as refusal:
        return answers.refused(refusal)


async def _post(ctx: Context, hook: HookRow, payload: Payload, cid: str) -> str:
    """The id of the message. Raises `Refusal`."""
    people = wording.named_people(payload)
    handles = await ctx.read(lambda reader: _handles(reader, hook, people)) if people else {}
    fields: dict[str, Any] = {
        "conversation": hook.conversation_id,
        "cid": cid,
        "text": await ctx.state(Converting).run(_text, payload, handles, hook.mentions_everyone),
        "metadata": _metadata(hook, payload),
    }
    if payload.thread is not None:
        fields["thread"] = payload.thread
    return (await ctx.as_person(hook.bot_id).call("messages.post", **fields))["message"]


def _text(payload: Payload, handles: Mapping[str, str], everyone: bool) -> str:
    return without_mentions(wording.message_text(payload, handles), everyone=everyone, names=payload.names)


def _metadata(hook: HookRow, payload: Payload) -> dict[str, str]:
    """Who the program says it speaks for. It is shown beside the bot's name and never instead of it."""
    said = {"webhooks.hook": hook.id, "webhooks.via": payload.via, "webhooks.icon": payload.icon}
    return {name: value for name, value in said.items() if value is not None}


def _handles(reader: Reader, hook: HookRow, people: set[str]) -> dict[str, str]:
    """The handles of members of the conversation, by id: others are not told about."""
    found = reader.execute(
        "SELECT p.id, p.handle FROM json_each(?) i JOIN people p ON p.id = i.value "
        "JOIN members m ON m.person = p.key AND m.conversation = ? AND m.left_gid IS NULL",
        (orjson.dumps(sorted(people)).decode(), hook.conversation),
    )
    return dict(found.fetchall())


def _cid(hook: HookRow, headers: Mapping[str, str]) -> str:
    """The same for each repeat of a post, so that it is posted once; a new one for a post without an id.

    Raises `PayloadFault` for an id that is too long.
    """
    for name in _IDS:
        if id := headers.get(name, ""):
            if len(id) > _MOST_ID:
                raise PayloadFault(name, f"has more than {_MOST_ID} characters")
            return hashlib.sha256(f"{hook.id}\n{name}\n{id}".encode()).hexdigest()
    return new_id()


ROUTES = (
    Route(
        "in/<token>", take_post, None, ("POST",), "Post a message through an incoming webhook.",
        most_bytes=MOST_BYTES, idle_seconds=20.0,
    ),
)  # fmt: skip
