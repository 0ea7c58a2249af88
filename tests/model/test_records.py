"""Records are what attrs makes of the same class."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from chatnode.model.records import record


def made_both_ways(frozen: bool) -> list[Any]:
    """The same class, with one derived from it, by attrs and as records."""
    return [_classes(attrs.frozen if frozen else attrs.define, frozen), _classes(record, frozen)]


def _classes(decorate: Any, frozen: bool) -> tuple[Any, Any]:
    options: dict[str, Any] = {"frozen": True} if decorate is record and frozen else {}

    @decorate(**options)
    class Base:
        name: str
        count: int = 0
        hidden: str = attrs.field(default="", repr=False)
        note: str = attrs.field(default="", eq=False)
        _own: list[Any] | None = None

    @decorate(kw_only=True, **options)
    class Derived(Base):
        more: str

    return Base, Derived


@pytest.mark.parametrize("frozen", [False, True])
def test_fields_arguments_and_repr_are_the_same(frozen: bool) -> None:
    (one, derived), (other, also_derived) = made_both_ways(frozen)
    for kind, same in ((one, other), (derived, also_derived)):
        assert [each.name for each in attrs.fields(kind)] == [each.name for each in attrs.fields(same)]
        assert kind.__match_args__ == same.__match_args__
        assert kind.__slots__ == same.__slots__
        assert kind.__init__.__code__.co_varnames == same.__init__.__code__.co_varnames
    assert (
        repr(one("a", 1, "h", "n")) == repr(other("a", 1, "h", "n")) == "Base(name='a', count=1, note='n', _own=None)"
    )
    assert repr(derived("a", more="m")) == repr(also_derived("a", more="m"))


def test_what_contains_itself_is_shown_without_end() -> None:
    shown: list[str] = []
    for base, _ in made_both_ways(frozen=False):
        each = base("a")
        each._own = [each]
        shown.append(repr(each))
    assert shown[0] == shown[1]


@pytest.mark.parametrize("frozen", [False, True])
def test_what_is_equal_is_the_same(frozen: bool) -> None:
    for base, derived in made_both_ways(frozen):
        assert base("a", 1) == base("a", 1)
        assert base("a", note="one") == base("a", note="other")
        assert base("a", hidden="one") != base("a", hidden="other")
        assert base("a") != base("b")
        assert base("a") != derived("a", more="")
        assert derived("a", more="m") == derived("a", more="m") != derived("a", more="n")
        assert base("a") != "a"
        assert base("a").__eq__("a") is NotImplemented


def test_a_frozen_one_has_a_hash_and_does_not_change() -> None:
    for base, derived in made_both_ways(frozen=True):
        assert {base("a", note="one"), base("a", note="other"), base("b")} == {base("a"), base("b")}
        assert hash(base("a")) != hash(derived("a", more=""))
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            base("a").name = "b"


def test_one_that_changes_has_no_hash() -> None:
    for base, _ in made_both_ways(frozen=False):
        with pytest.raises(TypeError, match="unhashable"):
            hash(base("a"))
        each = base("a")
        each.name = "b"
        assert each == base("b")
        with pytest.raises(AttributeError):
            each.other = 1
