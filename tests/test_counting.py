"""One thing and several, in what users read."""

from __future__ import annotations

from chatnode.counting import counted


def test_one_thing_has_no_s() -> None:
    assert [counted(number, "session") for number in range(3)] == ["0 sessions", "1 session", "2 sessions"]


def test_a_noun_may_have_a_plural_of_its_own() -> None:
    assert (counted(1, "entry", "entries"), counted(2, "entry", "entries")) == ("1 entry", "2 entries")


def test_large_numbers_may_be_grouped() -> None:
    assert counted(12_000, "row", form=",") == "12,000 rows"
