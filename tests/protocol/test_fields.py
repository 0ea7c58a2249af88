"""What no field takes that is one line, whatever form it declares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatnode.model.fields import Real, Text
from tests.protocol.values import QUICK, TAKEN, values_of
from tests.quick import examples

CONTROLS = "\0\x07\n\x1b\x7f\x85\x9b\u2028\u2029\u202e\u2066\u2069\u206a\ufff9"
BLANKS = ("\u200b", "\u3164", "\u2800", "\u0301", "\u00a0 ", "\u2060\ufe0f")


def texts_in(kind: Any, place: str) -> Iterator[tuple[str, Any]]:
    """The bounded texts of a type, with their places."""
    if get_origin(kind) is Annotated and isinstance(kind.__metadata__[0], Text):
        yield place, kind
    elif attrs.has(kind):
        for name, hint in get_type_hints(kind, include_extras=True).items():
            yield from texts_in(hint, f"{place}.{name}")
    else:
        for inner in get_args(kind):
            yield from texts_in(inner, place)


def _bound(kind: Any) -> Text:
    return kind.__metadata__[0]


PLACES = {place: kind for taken in TAKEN for place, kind in texts_in(taken, taken.__name__) if not _bound(kind).free}
LINES = {place: kind for kind, place in {kind: place for place, kind in PLACES.items()}.items()}
"""Each type once, by one of its places."""
NAMES = {place: kind for place, kind in LINES.items() if _bound(kind).least and _bound(kind).form is None}


@pytest.mark.parametrize("place", LINES)
def test_one_line_has_no_control_characters(place: str) -> None:
    @QUICK
    @given(values_of(LINES[place]), st.data())
    def insert(text: str, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(text)))
        for control in CONTROLS:
            assert _bound(LINES[place]).fault(text[:at] + control + text[at + 1 :]) is not None

    insert()


@pytest.mark.parametrize("place", NAMES)
def test_what_must_be_there_can_be_seen(place: str) -> None:
    for blank in BLANKS:
        assert _bound(NAMES[place]).fault(blank * _bound(NAMES[place]).least) is not None


@pytest.mark.parametrize("bound", [Text(3), Text(3, 1), Text(3, 2, free=True), Text(4, 1, "a *"), Text(4, free=True)])
@settings(max_examples=examples(300))
@given(text=st.text(" a\0\n\x7f\u00e9\u200b\u202e", max_size=5))
def test_the_short_way_lets_nothing_pass_that_has_a_fault(bound: Text, text: str) -> None:
    """Most texts are printable ASCII, for which few steps tell that they fit."""
    is_usual = eval(bound.usual.format(text="text", matches="bound.matches"))
    assert not is_usual or bound.fault(text) is None


@pytest.mark.parametrize(("number", "taken"), [(-90.0, True), (90.0, True), (90.1, False), (-91.0, False)])
def test_both_ends_of_a_range_are_in_it(number: float, taken: bool) -> None:
    assert (Real(-90, 90).fault(number) is None) == taken


def test_what_is_no_number_is_in_no_range() -> None:
    assert Real(-90, 90).fault(float("nan")) is not None


def test_names_and_titles_are_among_them() -> None:
    for place in ("UpdateProfile.avatar", "OpenGroup.title", "UpdateProfile.name", "PostMessage.cid"):
        assert PLACES[place] in LINES.values()
    for place in ("OpenGroup.title", "UpdateProfile.name", "RenameSession.label"):
        assert PLACES[place] in NAMES.values()
