"""Sends files of exports: `exports/<id>`, to their owners who are signed in and to those with a signed link."""

from __future__ import annotations

from base64 import b64encode

from chatnode.api import (
    Account,
    ByteRange,
    Context,
    FilePart,
    InsteadOfFile,
    Querying,
    Refusal,
    Request,
    Response,
    Route,
    Transaction,
    content_disposition,
    content_range,
    holders_of,
    requested_range,
)
from chatnode_crm.exports import links, stored
from chatnode_crm.exports.files import directory
from chatnode_crm.exports.stored import ExportRow
from chatnode_crm.files.writing.formats import FORMATS
from chatnode_crm.permissions import EXPORT


async def send_export(ctx: Context, request: Request) -> Response:
    """The file of an export, or a part of it, for its owner, who must still be allowed to export contacts."""
    account, row = await _permitted(ctx, request)
    assert row.bytes is not None
    assert row.sha256 is not None
    tag = f'"{row.sha256[:32]}"'
    fields = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-store",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "ETag": tag,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex",
    }
    chosen = requested_range(request.method, request.headers, tag, row.bytes)
    if isinstance(chosen, InsteadOfFile):
        if chosen is InsteadOfFile.OUTSIDE:
            fields["Content-Range"] = f"bytes */{row.bytes}"
        return Response(b"", chosen.value, "", fields)
    part = chosen or ByteRange(0, row.bytes)
    fields["Content-Disposition"] = content_disposition(row.name, inline=False)
    fields["Repr-Digest"] = f"sha-256=:{b64encode(bytes.fromhex(row.sha256)).decode()}:"
    if chosen is not None:
        fields["Content-Range"] = content_range(part.start, part.stop, row.bytes)
    if request.method == "GET" and part.start == 0:
        await ctx.write(lambda tx: _note(tx, ctx, account, row), repeatable=True)
    body = FilePart(directory(ctx) / row.file, part.start, part.stop)
    return Response(body, 206 if chosen else 200, FORMATS[row.format].media_type, fields)


async def _permitted(ctx: Context, request: Request) -> tuple[Account, ExportRow]:
    """The user who asks, and the export. Raises `Refusal`."""
    id = request.path["id"]
    if links.SIGNATURE in request.query:
        links.check_signature(ctx, request.query, id)
        account, row = await ctx.read(lambda reader: _by_link(reader, request, id))
    else:
        ctx.check(EXPORT, reads=True)
        account = ctx.me
        row = await ctx.read(lambda reader: stored.find(reader, id, account.key))
    stored.refuse_unless_done(row)
    return account, row


def _by_link(reader: Querying, request: Request, id: str) -> tuple[Account, ExportRow]:
    account = links.requester(reader, request.query)
    if all(each.key != account.key for each in holders_of(reader, EXPORT, reads=True)):
        raise Refusal("forbidden", f"you may no longer export contacts: your role lacks the permission {EXPORT}")
    return account, stored.find(reader, id, account.key)


def _note(tx: Transaction, ctx: Context, account: Account, row: ExportRow) -> None:
    stored.note_download(tx, row.key)
    ctx.audit(tx, "exports.download", row.id, person=account.handle)


ROUTES = (Route("exports/<id>", send_export, None, summary="The file of an export, or a part of it."),)
