"""What is generated for a class does what cattrs does, byte for byte and refusal for refusal."""

from __future__ import annotations

import copy
from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any, Generic, TypedDict, TypeVar, get_args

import attrs
import cattrs
import orjson
import outcome
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatnode.errors import Refusal
from chatnode.model.commands.messages import ListMessages, MarkUpTo, PostMessage
from chatnode.model.commands.resume import Hello, Welcomed
from chatnode.model.fields import Items, Name, Seq
from chatnode.protocol import codec
from chatnode.protocol.generate import Generated, Unfit, is_usual
from tests.protocol.values import GIVEN, PUSHED, QUICK, TAKEN, json_values, places, values_of
from tests.quick import examples

KINDS: list[type[Any]] = list(dict.fromkeys([*TAKEN, *GIVEN, *PUSHED, Hello, Welcomed]))
ID = "0123456789abcdef" * 2

_cattrs = codec._strict


def parts_of(kind: Any, found: dict[type[Any], None]) -> dict[type[Any], None]:
    """The classes of attrs that a type consists of."""
    if isinstance(kind, type) and attrs.has(kind):
        if kind not in found:
            found[kind] = None
            for field in attrs.fields(attrs.resolve_types(kind)):
                parts_of(field.type, found)
    else:
        for inner in get_args(kind):
            parts_of(inner, found)
    return found


ALL: dict[type[Any], None] = {}
for each in KINDS:
    parts_of(each, ALL)


def test_functions_are_written_for_every_class_of_the_protocol() -> None:
    """A class that cannot have one still works, by cattrs: those whose fields are given by keyword alone."""
    by_keyword = {kind for kind in ALL if any(field.kw_only for field in attrs.fields(kind))}
    assert [kind.__name__ for kind in ALL if not is_usual(kind) and kind not in by_keyword] == []
    assert {PostMessage, MarkUpTo, Hello} < set(ALL)


# ---- as cattrs does


def structured_by_cattrs(values: Any, kind: type[Any]) -> Any:
    try:
        return _cattrs.structure(values, kind)
    except Exception:
        raise codec._explain(_cattrs, values, kind) from None


def said(structure: Callable[[Any, type[Any]], Any], values: Any, kind: type[Any]) -> Any:
    """The object, or what the refusal tells a client."""
    result = outcome.capture(structure, values, kind)
    if isinstance(result, outcome.Error):
        assert isinstance(result.error, Refusal)
        return result.error.as_json()
    return result.unwrap()


def same(values: Any, kind: type[Any]) -> None:
    ours, theirs = said(codec.structure, values, kind), said(structured_by_cattrs, values, kind)
    assert ours.__class__ is theirs.__class__
    assert ours == theirs
    assert repr(ours) == repr(theirs), "1, 1.0 and True are equal, and not the same"


_MUTATIONS = st.sampled_from(
    [None, True, False, 0, 1, -1, 1.0, 2.5, 2**53, 2**63, "", "x", " ", "\0", "x" * 70, [], {}]
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(QUICK, max_examples=examples(12))
@given(st.data())
def test_all_is_written_taken_and_refused_as_by_cattrs(kind: type[Any], data: st.DataObject) -> None:
    """An object, its JSON, and that JSON with something replaced, removed or added: most of the time goes into making
    the object, so all is tried with the same."""
    value = data.draw(values_of(kind))
    encoded = codec.encode(value)
    assert encoded == orjson.dumps(_cattrs.unstructure(value))
    values = orjson.loads(encoded)
    comes_back(value, values, kind)
    same(values, kind)
    for _ in range(3):
        changed = copy.deepcopy(values)
        change_something(changed, data)
        same(changed, kind)


def comes_back(value: Any, values: Any, kind: type[Any]) -> None:
    """To the node, which is strict, and to a client, which is not."""
    assert codec.structure(values, kind) == value
    assert codec.read(values, kind) == value


def change_something(values: Any, data: st.DataObject) -> None:
    found = places(values)
    holders = [values, *(holder[key] for _, holder, key in found if isinstance(holder[key], dict))]
    change = data.draw(st.sampled_from(["replace", "remove", "add"]))
    if change == "add" or not found:
        data.draw(st.sampled_from(holders))[data.draw(st.sampled_from(["other", "with_", "extra", ""]))] = None
        return
    _, holder, key = data.draw(st.sampled_from(found))
    if change == "remove":
        del holder[key]
    else:
        holder[key] = data.draw(_MUTATIONS | json_values)


@pytest.mark.parametrize("values", [None, [], "x", 5, {}, {"": None}, {"other": {}}])
def test_values_of_no_class_are_refused_as_by_cattrs(values: Any) -> None:
    for kind in KINDS:
        same(values, kind)


def test_defaults_are_not_shared() -> None:
    one, other = (codec.structure({"type": "a"}, attrs.fields(PostMessage).system.type.__args__[0]) for _ in range(2))
    assert one.fields == {}
    assert one.fields is not other.fields


# ---- what has no text, and what is rare


T = TypeVar("T")


class Colour(Enum):
    RED = "red"


class Spot(TypedDict):
    at: str


@attrs.define
class Tree:
    name: Name
    branches: list[Tree] = attrs.field(factory=list)


@attrs.define
class Pair:
    left: Leaf
    right: Leaf | None = None


@attrs.define
class Leaf:
    pair: Pair | None = None
    seq: Seq = 0


@attrs.define
class Rare:
    """Types that the core does not use."""

    colour: Colour
    either: int | str
    spot: Spot
    anything: Any
    pairs: dict[str, list[Leaf]]
    named: dict[str, dict[str, int]] = attrs.field(factory=dict)
    several: Annotated[list[list[Leaf | None]], Items(2)] | None = None
    maybe: str | None = "x"
    numbers: tuple[int, ...] = ()
    none_by_default: str = None  # type: ignore[assignment]


@attrs.define
class Converted:
    name: str = attrs.field(converter=str.upper)


@attrs.define
class Private:
    _name: str


@attrs.define(kw_only=True)
class Named:
    name: str
    other: str = "x"


@attrs.define
class Computed:
    name: str
    twice: str = attrs.field(init=False, default="x")


@attrs.define
class FromItself:
    name: str
    other: str = attrs.Factory(lambda self: self.name + "!", takes_self=True)


@attrs.define
class Of(Generic[T]):
    value: T


@attrs.define
class OfText(Of[str]):
    other: int = 0


@attrs.define(init=False)
class OwnInit:
    one: str = "1"
    other: str = "2"

    def __init__(self, other: str = "2", one: str = "1") -> None:
        self.one, self.other = one, other


@attrs.define
class Untyped:
    name = attrs.field()


@attrs.define
class Checked:
    name: str = attrs.field(validator=attrs.validators.max_len(3))

    def __attrs_post_init__(self) -> None:
        if self.name == "no":
            raise ValueError("no")


UNUSUAL = (Converted, Private, Named, Computed, FromItself, Of, OfText, OwnInit, Untyped)


@pytest.mark.parametrize("kind", UNUSUAL, ids=lambda kind: kind.__name__)
def test_a_class_that_is_made_in_another_way_is_left_to_cattrs(kind: type[Any]) -> None:
    assert not is_usual(kind)
    for values in (
        {"name": "ann"}, {"_name": "ann"}, {"name": "ann", "other": "bob"}, {"value": "x"}, {"value": "x", "other": 1},
        {"one": "a"}, {"other": "b"}, {"name": 5}, {"name": "ann", "twice": "y"}, {},
    ):  # fmt: skip
        same(values, kind)
        if not isinstance(said(codec.structure, values, kind), dict):
            value = codec.structure(values, kind)
            assert codec.encode(value) == orjson.dumps(_cattrs.unstructure(value))


@pytest.mark.parametrize("values", [{"name": "ann"}, {"name": "no"}, {"name": "long"}, {"name": 5}])
def test_a_class_may_check_itself(values: dict[str, Any]) -> None:
    assert is_usual(Checked)
    same(values, Checked)


RARE: dict[str, Any] = {
    "colour": "red", "either": 5, "spot": {"at": "here"}, "anything": [1, {"a": None}],
    "pairs": {"a": [{"seq": 1}, {"pair": {"left": {}, "right": {"seq": 2}}}]},
}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {}, {"named": {"a": {"b": 1}}}, {"several": [[None, {"seq": 1}], []]}, {"several": None}, {"maybe": None},
        {"maybe": "y"}, {"numbers": [1, 2]}, {"none_by_default": "x"}, {"either": "x"}, {"anything": None},
        {"colour": "blue"}, {"either": None}, {"spot": {}}, {"pairs": {"a": {}}}, {"pairs": {"a": [{"seq": -1}]}},
        {"pairs": {"a": [{"pair": {}}]}}, {"pairs": {"a": [None]}}, {"pairs": []}, {"named": {"a": {"b": True}}},
        {"named": {"a": []}}, {"several": [[], [], []]}, {"several": [None]}, {"several": [[{"x": 1}]]},
        {"numbers": ["x"]}, {"none_by_default": None}, {"none_by_default": 5}, {"maybe": 5},
    ],
)  # fmt: skip
def test_rare_types_are_as_by_cattrs(change: dict[str, Any]) -> None:
    assert is_usual(Rare)
    same(RARE | change, Rare)
    value = said(codec.structure, RARE | change, Rare)
    if isinstance(value, Rare):
        assert codec.encode(value) == orjson.dumps(_cattrs.unstructure(value))


@pytest.mark.parametrize("branches", [[], [{"name": "b"}], [{"name": "b", "branches": [{"name": "c"}]}], [{}], None])
def test_a_class_may_contain_itself(branches: Any) -> None:
    same({"name": "a", "branches": branches}, Tree)
    tree = Tree("a", [Tree("b"), Tree("c", [Tree("d")])])
    assert codec.encode(tree) == orjson.dumps(_cattrs.unstructure(tree))


# ---- when


def test_functions_are_written_when_they_are_needed() -> None:
    generated = Generated(_cattrs, codec.wire_name)
    assert not generated._structurers
    structure = generated.structurer(ListMessages)
    assert list(generated._structurers) == [ListMessages]
    assert generated.structurer(ListMessages) is structure
    with pytest.raises(Unfit):
        structure({"conversation": "x"})
    assert not generated._unstructurers


def test_another_converter_decides_what_is_left_to_it() -> None:
    converter = cattrs.Converter()
    converter.register_structure_hook(Colour, lambda value, _: Colour(value.lower()))

    @attrs.define
    class Painted:
        colour: Colour

    assert Generated(converter, str).structurer(Painted)({"colour": "RED"}) == Painted(Colour.RED)
