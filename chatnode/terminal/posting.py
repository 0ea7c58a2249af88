"""Posting what a person wrote, however long the node asks to wait."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from chatnode.client import Client, UploadedFile
from chatnode.errors import Refusal

_PATIENCE_SECONDS = 1.0


async def post_patiently(
    client: Client,
    conversation: str,
    text: str,
    *,
    cid: str,
    reply_to: str | None = None,
    files: Sequence[UploadedFile | str] = (),
) -> None:
    """Returns once the node has it. Raises a `Refusal` that is not temporary."""
    while True:
        try:
            await client.post(conversation, text, cid=cid, reply_to=reply_to, files=files)
            return
        except Refusal as refusal:
            if not refusal.temporary:
                raise
            await trio.sleep(refusal.retry_after or _PATIENCE_SECONDS)
