"""The text of the message that a payload becomes in a conversation."""

from __future__ import annotations

from collections.abc import Mapping

from chatnode.api import Context, Reader, json_array
from chatnode_webhooks.incoming import wording
from chatnode_webhooks.incoming.converting import Converting
from chatnode_webhooks.incoming.naming import without_mentions
from chatnode_webhooks.incoming.payload import Payload


async def text_of(ctx: Context, payload: Payload, conversation: str, *, everyone: bool) -> str:
    """The text in Markdown. `everyone`: @everyone in it may name everyone."""
    people = wording.named_people(payload)
    handles = await ctx.read(lambda reader: _handles(reader, conversation, people)) if people else {}
    return await ctx.state(Converting).run(_text, payload, handles, everyone)


def _text(payload: Payload, handles: Mapping[str, str], everyone: bool) -> str:
    return without_mentions(wording.message_text(payload, handles), everyone=everyone, names=payload.names)


def _handles(reader: Reader, conversation: str, people: set[str]) -> dict[str, str]:
    """The handles of members of the conversation, by id: others are not told about."""
    found = reader.execute(
        "SELECT p.id, p.handle FROM json_each(?) i JOIN people p ON p.id = i.value "
        "JOIN members m ON m.person = p.key AND m.left_gid IS NULL "
        "JOIN conversations c ON c.key = m.conversation AND c.id = ?",
        (json_array(people), conversation),
    )
    return dict(found.fetchall())
