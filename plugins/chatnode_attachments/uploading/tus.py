"""tus 1.0: uploads that continue where they broke off (https://tus.io/protocols/resumable-upload).

Extensions: creation, creation-with-upload, creation-defer-length, expiration, checksum, termination. Only bytes that
are on disk are acknowledged. A request for an upload stops the one before, whose connection may be dead.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from email.utils import formatdate

from chatnode.api import Context, Refusal, Request, Response
from chatnode_attachments.names import clean_name
from chatnode_attachments.settings import MIB, AttachmentsSettings
from chatnode_attachments.state import Attachments
from chatnode_attachments.store.refusals import UploadLocked, UploadTakenOver, check_offset
from chatnode_attachments.store.rows import Upload
from chatnode_attachments.store.store import Store
from chatnode_attachments.uploading import fields
from chatnode_attachments.uploading.refusals import UploadRefusal, refused
from chatnode_attachments.uploading.simple import as_file, drop

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,creation-defer-length,expiration,checksum,termination"
_BYTES = "application/offset+octet-stream"
_VERSION = {"Tus-Resumable": VERSION}
_MOST_DECLARED = 200

Handler = Callable[[Context, Request], Awaitable[Response]]


async def options(ctx: Context, request: Request) -> Response:
    """What the node supports; for anyone."""
    headers = {
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Checksum-Algorithm": ",".join(fields.CHECKSUMS),
    }
    most = ctx.settings(AttachmentsSettings).file_mib * MIB
    if most:
        headers["Tus-Max-Size"] = str(most)
    return Response(status=204, content_type="", headers=_VERSION | headers)


async def create_upload(ctx: Context, request: Request) -> Response:
    """Create an upload, and receive what the request has of it."""
    return await _spoken(_create, ctx, request)


async def continue_upload(ctx: Context, request: Request) -> Response:
    """HEAD: how far the upload is. PATCH: continue it. DELETE: remove it."""
    method = request.method
    if method == "POST":  # for clients and proxies that know no other
        method = request.headers.get("x-http-method-override", method).upper()
    handler = {"HEAD": _head, "PATCH": _patch, "DELETE": _delete}.get(method)
    return await _spoken(handler or _refuse_method, ctx, request)


async def _spoken(handler: Handler, ctx: Context, request: Request) -> Response:
    """The handler's response, or its refusal, as the protocol wants it."""
    try:
        if request.headers.get("tus-resumable") != VERSION:
            raise UploadRefusal(
                412, f"send Tus-Resumable: {VERSION}", path="Tus-Resumable", headers={"Tus-Version": VERSION}
            )
        return await handler(ctx, request)
    except UploadTakenOver:
        return refused(UploadLocked(), _VERSION)  # a client that may still be there tries again, and forgets nothing
    except Refusal as refusal:
        return refused(refusal, _VERSION)


async def _refuse_method(ctx: Context, request: Request) -> Response:
    allowed = "HEAD, PATCH, DELETE"
    raise UploadRefusal(405, f"use one of {allowed}, or name it in X-HTTP-Method-Override", headers={"Allow": allowed})


# ---- creation


async def _create(ctx: Context, request: Request) -> Response:
    store = ctx.state(Attachments).store
    length = _length_of_new(request)
    given, values = fields.metadata(request.headers)
    checksum = fields.checksum(request.headers)
    has_bytes = request.length != 0
    if has_bytes:
        _check_type(request)
    upload = await store.create(
        ctx,
        name=clean_name(values.get("filename", "")),
        declared=values.get("filetype", "")[:_MOST_DECLARED],
        length=length,
        metadata=given,
        as_file=as_file(values.get("as_file")),
    )
    headers = {"Location": f"uploads/{upload.id}"}  # relative: the node does not know what is in front of it
    try:
        async with store.lock(upload.id):
            if has_bytes:
                upload = await store.receive(ctx, upload, request.chunks(), offset=0, checksum=checksum)
            await _finish(ctx, store, upload)
    except UploadTakenOver:
        raise
    except BaseException as error:
        # A client that is refused creates another upload: one without any bytes would hold its quota for nothing.
        dropped = await drop(ctx, store, upload, resumable=True)
        if isinstance(error, Refusal) and not dropped:
            return refused(error, _VERSION | headers)  # it can be continued
        raise
    return _progress(upload, 201, headers)


def _length_of_new(request: Request) -> int | None:
    """The length of the upload; None if the client says it later. Raises `Refusal`."""
    headers = request.headers
    if "upload-concat" in headers:
        raise Refusal("invalid", "uploads in parts that are joined are not supported", path="Upload-Concat")
    length, deferred = fields.number(headers, "Upload-Length"), headers.get("upload-defer-length")
    if deferred not in (None, "1"):
        raise Refusal("invalid", "Upload-Defer-Length can only be 1", path="Upload-Defer-Length")
    if (length is None) == (deferred is None):
        raise Refusal("invalid", "send either Upload-Length or Upload-Defer-Length: 1", path="Upload-Length")
    return length


# ---- requests for an upload


async def _head(ctx: Context, request: Request) -> Response:
    store = ctx.state(Attachments).store
    id = await _own(ctx, store, request)
    async with store.lock(id):
        upload = await store.find(ctx, id)
        await _finish(ctx, store, upload)  # the node may have been killed before it could
    headers = _length(upload) | {"Cache-Control": "no-store"}
    if upload.metadata:
        headers["Upload-Metadata"] = upload.metadata
    return _progress(upload, 200, headers)


async def _patch(ctx: Context, request: Request) -> Response:
    store = ctx.state(Attachments).store
    _check_type(request)
    offset = fields.number(request.headers, "Upload-Offset")
    if offset is None:
        raise Refusal("invalid", "Upload-Offset is missing", path="Upload-Offset")
    length = fields.number(request.headers, "Upload-Length")
    checksum = fields.checksum(request.headers)
    id = await _own(ctx, store, request)
    async with store.lock(id):
        upload = await store.find(ctx, id)
        check_offset(upload, offset)  # first: a request that is refused for it changes nothing
        if length is not None:
            upload = await store.set_length(ctx, upload, length)
        upload = await store.receive(ctx, upload, request.chunks(), offset=offset, checksum=checksum)
        await _finish(ctx, store, upload)
    return _progress(upload, 204, {})


async def _delete(ctx: Context, request: Request) -> Response:
    store = ctx.state(Attachments).store
    id = await _own(ctx, store, request)
    async with store.lock(id):
        await store.terminate(ctx, await store.find(ctx, id))
    return Response(status=204, content_type="", headers=_VERSION)


async def _own(ctx: Context, store: Store, request: Request) -> str:
    """The id of an upload of the requester's. Raises `Refusal`: a stranger must not even stop a request for it."""
    return (await store.find(ctx, request.path["id"])).id


async def _finish(ctx: Context, store: Store, upload: Upload) -> None:
    if upload.complete and upload.state != "done":
        await store.finish(ctx, upload)


def _check_type(request: Request) -> None:
    if request.media_type != _BYTES:
        raise UploadRefusal(415, f"the body needs Content-Type: {_BYTES}", path="Content-Type")


# ---- responses


def _progress(upload: Upload, status: int, headers: dict[str, str]) -> Response:
    """How far the upload is, and how long it is kept."""
    told = _VERSION | headers | {"Upload-Offset": str(upload.durable)}
    if not upload.complete:
        told["Upload-Expires"] = formatdate(upload.expires_at / 1000, usegmt=True)
    return Response(status=status, content_type="", headers=told)


def _length(upload: Upload) -> dict[str, str]:
    return {"Upload-Defer-Length": "1"} if upload.length is None else {"Upload-Length": str(upload.length)}
