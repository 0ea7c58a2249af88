"""Responses that are files: whole, a part, or only that nothing changed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from chatnode.hooks.conditions import ByteRange, Instead, selected
from chatnode.hooks.routes import FilePart, Request, Response

_NOT_PLAIN = re.compile(r'[^ -~]|["\\/;%]')
_ATTRIBUTE_CHARACTERS = "!#$&+-.^_`|~"  # besides letters and digits (RFC 8187)


def file_response(
    request: Request,
    path: Path,
    size: int,
    tag: str,
    *,
    content_type: str,
    headers: Mapping[str, str],
    always: Mapping[str, str],
) -> Response:
    """The response to a GET or HEAD of a file of `size` bytes: a download can be resumed, and a copy be kept.

    `tag` is the file's entity tag, in its quotes: it must change whenever the content does. `headers` go with the file,
    `always` also with a response that has none of it, because the copy is current (304), the file has changed (412) or
    it has no such part (416). Whether the requester may have the file was decided before.
    """
    constant = {**always, "ETag": tag}
    chosen = selected(request.method, request.headers, tag, size)
    if isinstance(chosen, Instead):
        outside = {"Content-Range": f"bytes */{size}"} if chosen is Instead.OUTSIDE else {}
        return Response(b"", chosen.value, "", constant | outside)
    part = chosen or ByteRange(0, size)
    fields = {**constant, **headers, "Accept-Ranges": "bytes"}
    if chosen is not None:
        fields["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    return Response(FilePart(path, part.start, part.stop), 206 if chosen else 200, content_type, fields)


def content_disposition(name: str, *, inline: bool = False) -> str:
    """`name` twice: in ASCII for old programs, which may read `%41` as `A`, and in full (RFC 6266)."""
    plain = _NOT_PLAIN.sub("_", name)
    encoded = quote(name, safe=_ATTRIBUTE_CHARACTERS, errors="replace")
    return f"{'inline' if inline else 'attachment'}; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
