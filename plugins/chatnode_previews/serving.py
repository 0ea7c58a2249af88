"""Sends the pictures of previews to those who see the message."""

from __future__ import annotations

from chatnode.api import CHAT, Context, Querying, Refusal, Request, Response, Route, may_see_message
from chatnode_previews.model import PICTURES

_HEADERS = {
    "Cache-Control": "private, max-age=86400",  # an address never stands for another picture
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
}


async def send_picture(ctx: Context, request: Request) -> Response:
    """The picture of a link's preview."""
    me, id = ctx.me, request.path["id"]

    def read(reader: Querying) -> bytes | None:
        row = reader.execute(
            "SELECT p.content FROM previews_pictures p JOIN previews_links l ON l.key = p.link "  # noqa: S608
            "JOIN messages m ON m.key = l.message "
            f"WHERE p.id = :id AND m.deleted_at IS NULL AND {may_see_message('m')}",
            {"id": id, "me": me.key},
        ).fetchone()
        return None if row is None else row[0]

    content = await ctx.read(read)
    if content is None:
        raise Refusal("not_found", "no such picture, or you may not see it")
    return Response(content, content_type="image/webp", headers=_HEADERS)


ROUTES = (Route(f"{PICTURES}/<id>", send_picture, CHAT, summary="The picture of a link's preview."),)
