"""Sends pictures of people and groups: `avatars/<id>`, to every user who is signed in."""

from __future__ import annotations

from chatnode.api import CHAT, Context, FilePart, InsteadOfFile, Querying, Request, Response, Route, requested_range
from chatnode_attachments.avatars.setting import ROUTE, USE
from chatnode_attachments.serving import headers
from chatnode_attachments.serving.access import no_such_file, refuse_unserved
from chatnode_attachments.state import Attachments
from chatnode_attachments.store.files import find_file
from chatnode_attachments.store.rows import FileRow


async def send_avatar(ctx: Context, request: Request) -> Response:
    """The whole picture; an address never stands for another one, so browsers keep it for a day."""
    ctx.check(CHAT, reads=True)
    state, id = ctx.state(Attachments), request.path["id"]
    row = await ctx.read(lambda reader: _find(reader, id))
    refuse_unserved(row, state)
    tag = f'"{row.sha256.hex()[:32]}"'
    fields = {**headers.SAFETY, "Cache-Control": headers.KEPT_FOR_A_DAY, "ETag": tag}
    chosen = requested_range(request.method, {**request.headers, "range": ""}, tag, row.bytes)
    if isinstance(chosen, InsteadOfFile):
        return Response(b"", chosen.value, "", fields)
    return Response(FilePart(state.layout.blob(row.blob_name), 0, row.bytes), 200, row.type, fields)


def _find(reader: Querying, id: str) -> FileRow:
    row = find_file(reader, id)
    if row is None or row.used_by != USE:
        raise no_such_file()
    return row


ROUTES = (Route(f"{ROUTE}/<id>", send_avatar, None, summary="The picture of a user or a group."),)
