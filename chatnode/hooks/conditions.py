"""What a GET asks of a file: only if it changed, only a part of it (RFC 9110, sections 13 and 14)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum

from chatnode.model.records import record

_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_RANGE = re.compile(r"(?i:bytes)=[ \t]*([0-9]{0,64})-([0-9]{0,64})[ \t]*", re.ASCII)


@record(frozen=True)
class ByteRange:
    """Bytes of a file, from `start` up to and without `stop`."""

    start: int
    stop: int


class Instead(Enum):
    """What is answered instead of the file, by status."""

    NOT_MODIFIED = 304
    CHANGED = 412
    OUTSIDE = 416


def selected(method: str, headers: Mapping[str, str], tag: str, size: int) -> ByteRange | Instead | None:
    """The part that a request wants of a file of `size` bytes with the entity tag `tag`; None for all of it.

    A range counts for GET alone. One that cannot be read, and more than one, are ignored, so no request makes the node
    send the same bytes twice.
    """
    if (wanted := headers.get("if-match")) is not None and not _matches(wanted, tag, weak=False):
        return Instead.CHANGED
    if (held := headers.get("if-none-match")) is not None and _matches(held, tag, weak=True):
        return Instead.NOT_MODIFIED
    if method != "GET" or headers.get("if-range", tag).strip() != tag:
        return None
    return _part(headers.get("range"), size)


def _matches(field: str, tag: str, *, weak: bool) -> bool:
    if field.strip() == "*":
        return True
    return any(each[1] == tag and (weak or each[0] == tag) for each in _TAG.finditer(field))


def _part(field: str | None, size: int) -> ByteRange | Instead | None:
    found = _RANGE.fullmatch(field.strip()) if field else None
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        return _ending(int(found[2]), size)
    start = int(found[1])
    last = int(found[2]) if found[2] else max(start, size - 1)
    if last < start:
        return None
    return ByteRange(start, min(last + 1, size)) if start < size else Instead.OUTSIDE


def _ending(length: int, size: int) -> ByteRange | Instead | None:
    """The last `length` bytes. No part of an empty file can be named, so it is sent whole."""
    if length == 0:
        return Instead.OUTSIDE
    return ByteRange(max(0, size - length), size) if size else None
