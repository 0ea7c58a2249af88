"""A file in one request: for small files, scripts, and clients that do not resume."""

from __future__ import annotations

import json
from typing import Any

import trio

from chatnode.api import Context, Refusal, Request, Response
from chatnode_attachments.names import clean_name
from chatnode_attachments.state import Attachments
from chatnode_attachments.store.refusals import ChecksumMismatch
from chatnode_attachments.store.rows import FileRow, Upload
from chatnode_attachments.store.store import Store
from chatnode_attachments.uploading import fields
from chatnode_attachments.uploading.refusals import UploadRefusal, refused

_YES = ("1", "true")


def as_file(value: str | None) -> bool:
    """Whether a picture is stored as it is, with its metadata."""
    return value in _YES


async def upload_file(ctx: Context, request: Request) -> Response:
    """Store the body as a file."""
    try:
        file = await _store(ctx, request)
    except Refusal as refusal:
        return refused(refusal, {})
    headers = {"Location": f"files/{file.id}"}
    return Response(json.dumps({"file": description(file)}), 201, "application/json", headers)


async def _store(ctx: Context, request: Request) -> FileRow:
    store = ctx.state(Attachments).store
    if request.length is None:
        raise UploadRefusal(411, "a file that is sent in one piece needs Content-Length; use tus for others")
    if request.is_form:
        raise UploadRefusal(415, "send the file as the body, not as a form", path="Content-Type")
    digest = fields.representation_digest(request.headers)
    upload = await store.create(
        ctx,
        name=clean_name(request.query.get("name", "")),
        declared=request.media_type,
        length=request.length,
        as_file=as_file(request.query.get("as_file")),
    )
    try:
        async with store.lock(upload.id):
            upload = await store.receive(ctx, upload, request.chunks(), offset=0, checksum=digest)
            return await store.finish(ctx, upload)
    except BaseException as error:
        await drop(ctx, store, upload)
        if isinstance(error, ChecksumMismatch):
            raise UploadRefusal(400, error.message, path="Repr-Digest") from None
        raise


async def drop(ctx: Context, store: Store, upload: Upload, *, resumable: bool = False) -> bool:
    """Release the bytes and the reserved quota of an upload that broke off; not of a `resumable` one with any bytes.

    One that has all its bytes is finished by the node, because the client may only have missed the response. Returns
    whether it is released.
    """
    with trio.CancelScope(shield=True, deadline=trio.current_time() + 5):
        try:
            async with store.lock(upload.id):
                found = await store.find(ctx, upload.id)
                if found.complete or (resumable and found.durable):
                    return False
                await store.terminate(ctx, found)
                return True
        except Refusal:
            pass  # gone already, or the database takes no writes: then it expires
    return True


def description(file: FileRow) -> dict[str, Any]:
    """What the client learns of its file."""
    known = {
        "id": file.id,
        "name": file.name,
        "type": file.type,
        "category": file.category,
        "bytes": file.bytes,
        "sha256": file.sha256.hex(),
        "scan": file.scan,
        "width": file.width,
        "height": file.height,
        "placeholder": file.placeholder,
    }
    return {name: value for name, value in known.items() if value is not None}
