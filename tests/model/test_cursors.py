"""Cursors of pages."""

from __future__ import annotations

import pytest

from chatnode.errors import Refusal
from chatnode.model.cursors import read_cursor, write_cursor


def test_a_cursor_is_read_as_it_was_written() -> None:
    assert read_cursor(write_cursor(100, "Garden é", -(2**63)), int, str, int) == [100, "Garden é", -(2**63)]
    assert read_cursor(None, int) is None


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "é", "AAAA", "!!!!", "7", write_cursor(), write_cursor(1), write_cursor(1, 2), write_cursor(1, "a", 3),
        write_cursor("1", "a"), write_cursor(True, "a"), write_cursor(1.0, "a"), write_cursor(None, "a"),
        write_cursor(2**63, "a"),
    ],
)  # fmt: skip
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(Refusal) as refusal:
        read_cursor(text, int, str)
    assert (refusal.value.code, refusal.value.path) == ("invalid", "after")
