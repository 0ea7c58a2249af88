"""Ranges and entity tags: what the node sends is what a reader of RFC 9110 who counts slowly would send."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatnode.hooks.conditions import ByteRange, Instead, selected

TAG = '"0123456789abcdef0123456789abcdef"'
_NUMBER = st.none() | st.integers(0, 40)


def _bytes_of(chosen: ByteRange | Instead | None, content: bytes) -> bytes | Instead:
    match chosen:
        case ByteRange(start, stop):
            return content[start:stop]
        case None:
            return content
        case _:
            return chosen


def _slowly(first: int | None, last: int | None, content: bytes) -> bytes | Instead:
    """Byte by byte."""
    if first is None and last is None:
        return content
    if first is None:
        assert last is not None
        kept = bytes(each for place, each in enumerate(content) if len(content) - place <= last)
        return Instead.OUTSIDE if last == 0 else kept
    if last is not None and last < first:
        return content
    kept = bytes(each for place, each in enumerate(content) if place >= first and (last is None or place <= last))
    return kept or Instead.OUTSIDE


@given(_NUMBER, _NUMBER, st.binary(max_size=32))
@example(None, 1, b"")
@example(0, 0, b"")
@example(0, None, b"")
def test_a_range_selects_what_counting_does(first: int | None, last: int | None, content: bytes) -> None:
    written = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    chosen = selected("GET", {"range": written}, TAG, len(content))
    assert _bytes_of(chosen, content) == _slowly(first, last, content)
    if isinstance(chosen, ByteRange):
        assert 0 <= chosen.start < chosen.stop <= len(content)  # what Content-Range can say


@given(st.text(st.sampled_from("bytes=-,0123456789 xW\t٣"), max_size=30), st.integers(0, 20))
def test_whatever_a_range_says_it_is_a_part_or_the_whole(field: str, size: int) -> None:
    match selected("GET", {"range": field}, TAG, size):
        case ByteRange(start, stop):
            assert 0 <= start < stop <= size
        case Instead() as instead:
            assert instead is Instead.OUTSIDE
        case None:
            pass


@pytest.mark.parametrize(
    "field",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-2",
        "bytes=0-0,2-3",
        "bytes=0-,0-,0-,0-",
        "bytes=0-1,",
        "lines=0-1",
        "bytes=+0-1",
        "bytes=0x0-1",
        "bytes=٣-٤",
        "bytes=0-" + "9" * 5_000,
    ],
)
def test_what_is_not_one_range_is_ignored(field: str) -> None:
    assert selected("GET", {"range": field}, TAG, 10) is None


def test_a_range_may_be_written_loosely() -> None:
    assert selected("GET", {"range": " Bytes= 2-3 "}, TAG, 10) == ByteRange(2, 4)
    assert selected("GET", {"range": "bytes=2-99999999999999999999"}, TAG, 10) == ByteRange(2, 10)


def test_a_range_is_for_get_alone() -> None:
    assert selected("HEAD", {"range": "bytes=0-1"}, TAG, 10) is None


@pytest.mark.parametrize(
    ("fields", "chosen"),
    [
        ({"if-none-match": TAG}, Instead.NOT_MODIFIED),
        ({"if-none-match": f"W/{TAG}"}, Instead.NOT_MODIFIED),
        ({"if-none-match": f'"other", {TAG}'}, Instead.NOT_MODIFIED),
        ({"if-none-match": "*"}, Instead.NOT_MODIFIED),
        ({"if-none-match": '"other"'}, None),
        ({"if-none-match": TAG.strip('"')}, None),
        ({"if-none-match": TAG, "range": "bytes=0-1"}, Instead.NOT_MODIFIED),
        ({"if-match": TAG}, None),
        ({"if-match": "*"}, None),
        ({"if-match": f"W/{TAG}"}, Instead.CHANGED),
        ({"if-match": '"other"'}, Instead.CHANGED),
        ({"if-match": '"other"', "if-none-match": TAG}, Instead.CHANGED),
        ({"range": "bytes=0-1", "if-range": TAG}, ByteRange(0, 2)),
        ({"range": "bytes=0-1", "if-range": f"W/{TAG}"}, None),
        ({"range": "bytes=0-1", "if-range": '"other"'}, None),
        ({"range": "bytes=0-1", "if-range": "Sun, 29 Nov 2026 01:20:20 GMT"}, None),
        ({"range": "bytes=90-", "if-range": '"other"'}, None),
    ],
)
def test_conditions_are_judged_by_the_entity_tag(fields: dict[str, str], chosen: ByteRange | Instead | None) -> None:
    assert selected("GET", fields, TAG, 10) == chosen
