"""What a GET asks of a file: only if it changed, only a part of it (RFC 9110, sections 13 and 14); and the headers that
answer it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from urllib.parse import quote

import attrs

_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_NOT_PLAIN = re.compile(r'[^ -~]|["\\/;%]')
_ATTRIBUTE_CHARACTERS = "!#$&+-.^_`|~"  # besides letters and digits (RFC 8187)
_RANGE = re.compile(r"(?i:bytes)=[ \t]*([0-9]{0,64})-([0-9]{0,64})[ \t]*", re.ASCII)


@attrs.frozen
class ByteRange:
    """Bytes of a file, from `start` up to and without `stop`."""

    start: int
    stop: int


class InsteadOfFile(Enum):
    """What is answered instead of the file, by status."""

    NOT_MODIFIED = 304
    CHANGED = 412
    OUTSIDE = 416


<<<<<<<< HEAD:chatnode/hooks/conditions.py
def selected(method: str, headers: Mapping[str, str], tag: str, size: int) -> ByteRange | Instead | None:
========
def requested_range(method: str, headers: Mapping[str, str], tag: str, size: int) -> ByteRange | InsteadOfFile | None:
>>>>>>>> exports:chatnode/hooks/ranges.py
    """The part that a request wants of a file of `size` bytes with the entity tag `tag`; None for all of it.

    A range counts for GET alone. One that cannot be read, and more than one, are ignored, so no request makes the node
    send the same bytes twice.
    """
    if (wanted := headers.get("if-match")) is not None and not _matches(wanted, tag, weak=False):
        return InsteadOfFile.CHANGED
    if (held := headers.get("if-none-match")) is not None and _matches(held, tag, weak=True):
        return InsteadOfFile.NOT_MODIFIED
    if method != "GET" or headers.get("if-range", tag).strip() != tag:
        return None
    return _part(headers.get("range"), size)


def content_range(start: int, stop: int, size: int) -> str:
    """The value of `Content-Range` for the bytes from `start` up to and without `stop` of a file of `size` bytes."""
    return f"bytes {start}-{stop - 1}/{size}"


def content_disposition(name: str, *, inline: bool) -> str:
    """The value of `Content-Disposition`. It has `name` twice: in ASCII for old programs, which may read `%41` as `A`,
    and in full (RFC 6266)."""
    plain = _NOT_PLAIN.sub("_", name)
    encoded = quote(name, safe=_ATTRIBUTE_CHARACTERS, errors="replace")
    return f"{'inline' if inline else 'attachment'}; filename=\"{plain}\"; filename*=UTF-8''{encoded}"


def _matches(field: str, tag: str, *, weak: bool) -> bool:
    if field.strip() == "*":
        return True
    return any(each[1] == tag and (weak or each[0] == tag) for each in _TAG.finditer(field))


<<<<<<<< HEAD:chatnode/hooks/conditions.py
def _part(field: str | None, size: int) -> ByteRange | Instead | None:
========
def _part(field: str | None, size: int) -> ByteRange | InsteadOfFile | None:
>>>>>>>> exports:chatnode/hooks/ranges.py
    found = _RANGE.fullmatch(field.strip()) if field else None
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        return _ending(int(found[2]), size)
    start = int(found[1])
    last = int(found[2]) if found[2] else max(start, size - 1)
    if last < start:
        return None
<<<<<<<< HEAD:chatnode/hooks/conditions.py
    return ByteRange(start, min(last + 1, size)) if start < size else Instead.OUTSIDE


def _ending(length: int, size: int) -> ByteRange | Instead | None:
    """The last `length` bytes. No part of an empty file can be named, so it is sent whole."""
    if length == 0:
        return Instead.OUTSIDE
========
    return ByteRange(start, min(last + 1, size)) if start < size else InsteadOfFile.OUTSIDE


def _ending(length: int, size: int) -> ByteRange | InsteadOfFile | None:
    """The last `length` bytes. No part of an empty file can be named, so it is sent whole."""
    if length == 0:
        return InsteadOfFile.OUTSIDE
>>>>>>>> exports:chatnode/hooks/ranges.py
    return ByteRange(max(0, size - length), size) if size else None
