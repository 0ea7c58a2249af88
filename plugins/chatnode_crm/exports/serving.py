"""Sends files of exports: `exports/<id>`, to their owners who are signed in and to those with a signed link."""

from __future__ import annotations

from base64 import b64encode

from chatnode.api import (
    Account,
    Context,
    FileLinks,
    FilePart,
    Querying,
    Request,
    Response,
    Route,
    Transaction,
    content_disposition,
    file_response,
)
from chatnode_crm.exports import stored
from chatnode_crm.exports.files import directory
from chatnode_crm.exports.stored import ExportRow
from chatnode_crm.files.writing.formats import FORMATS
from chatnode_crm.permissions import EXPORT

LINKS = FileLinks("export", EXPORT)
_SAFETY = {
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


async def send_export(ctx: Context, request: Request) -> Response:
    """The file of an export, or a part of it, for its owner, who must still be allowed to export contacts."""
    account, row = await _permitted(ctx, request)
    assert row.bytes is not None
    assert row.sha256 is not None
    response = file_response(
        request, directory(ctx) / row.file, row.bytes, f'"{row.sha256[:32]}"',
        content_type=FORMATS[row.format].media_type,
        headers={
            "Content-Disposition": content_disposition(row.name),
            "Repr-Digest": f"sha-256=:{b64encode(bytes.fromhex(row.sha256)).decode()}:",
        },
        always=_SAFETY,
    )  # fmt: skip
    begins = isinstance(response.body, FilePart) and response.body.start == 0
    if request.method == "GET" and begins:
        await ctx.write(lambda tx: _note(tx, ctx, account, row), repeatable=True)
    return response


async def _permitted(ctx: Context, request: Request) -> tuple[Account, ExportRow]:
    """The user who asks, and the export. Raises `Refusal`."""
    id = request.path["id"]
    if LINKS.is_link(request.query):
        LINKS.check(ctx, request.query, id)
        account, row = await ctx.read(lambda reader: _by_link(reader, request, id))
    else:
        ctx.check(EXPORT, reads=True)
        account = ctx.me
        row = await ctx.read(lambda reader: stored.find(reader, id, account.key))
    stored.refuse_unless_done(row)
    return account, row


def _by_link(reader: Querying, request: Request, id: str) -> tuple[Account, ExportRow]:
    account = LINKS.requester(reader, request.query)
    assert account is not None  # the operator makes no links to exports
    return account, stored.find(reader, id, account.key)


def _note(tx: Transaction, ctx: Context, account: Account, row: ExportRow) -> None:
    stored.note_download(tx, row.key)
    ctx.audit(tx, "exports.download", row.id, person=account.handle)


ROUTES = (Route("exports/<id>", send_export, None, summary="The file of an export, or a part of it."),)
