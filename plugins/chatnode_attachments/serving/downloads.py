"""Sends files: `files/<id>` and `files/<id>/<variant>`, to users who are signed in and to those with a signed link."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import cast

import attrs

from chatnode.api import (
    CHAT,
    Account,
    Context,
    FilePart,
    Refusal,
    Request,
    Response,
    Route,
    content_disposition,
    file_response,
    record,
)
from chatnode_attachments.serving import headers
from chatnode_attachments.serving.access import FILE, ServedFile, permitted
from chatnode_attachments.serving.links import DOWNLOAD, LINKS, asked_by_link
from chatnode_attachments.state import Attachments
from chatnode_attachments.types import HEAD_BYTES, PICTURES, UNKNOWN, proven_type


@record(frozen=True)
class _Asked:
    """`account` asks for a variant of a file, to be saved if it is an `attachment`."""

    account: Account
    id: str
    variant: str
    attachment: bool


async def send_file(ctx: Context, request: Request) -> Response:
    """A file, a thumbnail of it, or a part of either. Judged by `permitted`, also for signed links."""
    asked = await _asked(ctx, request)
    served = await permitted(ctx, asked.account, asked.id, asked.variant)
    response = file_response(
        request, served.path, served.bytes, served.tag,
        content_type=UNKNOWN, headers={}, always=_always(served, asked.variant),
    )  # fmt: skip
    if not isinstance(response.body, FilePart):
        return response
    shown = await _type_shown(ctx, served, asked.variant)
    fields = {**response.headers, **_fields(served, asked, shown)}
    response = attrs.evolve(response, content_type=shown or UNKNOWN, headers=fields)
    return response if request.method == "HEAD" else await _counted(ctx, response, asked, served)


async def _asked(ctx: Context, request: Request) -> _Asked:
    """Who asks, and for what. Raises `Refusal`."""
    id, variant = request.path["id"], request.path.get("variant", FILE)
    if LINKS.is_link(request.query):
        account = await asked_by_link(ctx, request.query, id, variant)
    else:
        ctx.check(CHAT, reads=True)
        account = ctx.me
    return _Asked(account, id, variant, DOWNLOAD in request.query)


def _fields(served: ServedFile, asked: _Asked, shown: str | None) -> dict[str, str]:
    inline = shown is not None and not asked.attachment
    fields = {"Content-Disposition": content_disposition(served.row.name, inline=inline)}
    if served.sha256 is not None:
        fields["Repr-Digest"] = headers.repr_digest(served.sha256)
    return fields


def _always(served: ServedFile, variant: str) -> dict[str, str]:
    """What every response about the file has, also one without it."""
    return {**headers.SAFETY, "Cache-Control": headers.REVALIDATED if variant == FILE else headers.KEPT_FOR_A_DAY}


async def _type_shown(ctx: Context, served: ServedFile, variant: str) -> str | None:
    """The type under which a browser may show the file; None: it must only save it.

    It is read from the file's own first bytes, and a picture must have been decoded by the node before. Raises
    `Refusal` when the file is not there.
    """
    state = ctx.state(Attachments)
    try:
        head = await state.store.run(lambda: _head(served.path, served.bytes))
    except _NotThere as error:
        state.missing.add(served.row.blob)
        ctx.log.error("the content of the file %s is %s", served.row.id, error)
        raise Refusal("gone", "the file is missing on the node", path="file") from None
    except OSError as error:
        ctx.log.error("the content of the file %s cannot be read: %s", served.row.id, error.strerror)
        raise Refusal("unavailable", "the file cannot be read now", path="file", retry_after=5) from None
    state.missing.discard(served.row.blob)
    if variant != FILE:
        return served.type
    proven = proven_type(head)
    return None if proven in PICTURES and served.row.derive != "done" else proven


class _NotThere(Exception):
    """A file is missing or has another size."""


def _head(path: Path, size: int) -> bytes:
    """The first bytes of a file of this size. Raises `_NotThere`, or OSError if that is not known."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise _NotThere("missing") from None
        raise
    try:
        found = os.fstat(descriptor).st_size
        if found != size:
            raise _NotThere(f"{found} bytes long, and not {size}")
        return os.pread(descriptor, HEAD_BYTES, 0)
    finally:
        os.close(descriptor)


async def _counted(ctx: Context, response: Response, asked: _Asked, served: ServedFile) -> Response:
    """The response, in one of the user's slots; counted once all of it was sent."""
    part = cast("FilePart", response.body)
    start, stop = part.start, served.bytes if part.stop is None else part.stop
    state = ctx.state(Attachments)
    slot = await state.slots.acquire(asked.account.key)
    is_download = asked.variant == FILE and stop == served.bytes and asked.account.key != served.row.uploader

    def ended(whole: bool) -> None:
        slot.release()
        if whole:
            state.counts.served(stop - start)
        if whole and is_download:
            state.counts.downloaded(served.row.key, asked.account.key)

    return attrs.evolve(response, ended=ended)


ROUTES = (
    Route("files/<id>", send_file, None, summary="A file, or a part of it."),
    Route("files/<id>/<variant>", send_file, None, summary="A thumbnail of a file."),
)
