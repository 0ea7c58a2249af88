"""Values that fit a type of the protocol, made from its own declaration."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

import attrs
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from chatnode.model.events import EVENTS
from chatnode.model.fields import Entries, Items, Real, Text, Whole
from chatnode.model.ephemeral import EPHEMERAL
from tests.commands import COMMANDS, PLUGINS
from tests.quick import examples

TAKEN: list[type[Any]] = list(dict.fromkeys(command.takes for command in COMMANDS))
"""What commands take."""
GIVEN: list[type[Any]] = list(dict.fromkeys(command.gives for command in COMMANDS))
"""What commands give."""
PUSHED: list[type[Any]] = [
    *EVENTS.values(),
    *EPHEMERAL.values(),
    *(kind.event for plugin in PLUGINS for kind in plugin.events),
    *(event for plugin in PLUGINS for event in plugin.ephemeral),
]
"""What clients are sent without asking."""

QUICK = settings(max_examples=examples(10), deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For a property that is tested for each of many types."""

CHARACTERS = st.characters(exclude_categories=["Cs"])  # a lone surrogate is no text, and no JSON
PLAIN = st.characters(exclude_categories=["Cs", "Cc"])

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(CHARACTERS, max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(CHARACTERS, max_size=8), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


def places(values: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """Every place in a JSON value: its path, and what holds it under which key."""
    keys: Any = list(values) if isinstance(values, dict) else range(len(values)) if isinstance(values, list) else ()
    found: list[tuple[str, Any, Any]] = []
    for key in keys:
        place = f"{path}.{key}" if path else str(key)
        found += [(place, values, key), *places(values[key], place)]
    return found


@cache
def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type, within its bounds."""
    origin = get_origin(kind)
    if origin is Annotated:
        base, *bounds = get_args(kind)
        return _bounded(base, bounds)
    if origin is Literal:
        return st.sampled_from(get_args(kind))
    if origin in (Union, UnionType):
        return st.one_of(st.none() if each is NoneType else values_of(each) for each in get_args(kind))
    if origin is list:
        return st.lists(values_of(get_args(kind)[0]), max_size=3)
    if origin is dict:
        return st.dictionaries(*(values_of(each) for each in get_args(kind)), max_size=3)
    if attrs.has(kind):
        hints = get_type_hints(kind, include_extras=True)
        return st.builds(kind, **{field.name: values_of(hints[field.name]) for field in attrs.fields(kind)})
    if is_typeddict(kind):
        fields = {name: values_of(hint) for name, hint in get_type_hints(kind, include_extras=True).items()}
        required = {name: fields.pop(name) for name in kind.__required_keys__}
        return st.fixed_dictionaries(required, optional=fields)
    simple: dict[Any, st.SearchStrategy[Any]] = {
        Any: json_values,
        str: st.text(CHARACTERS, max_size=20),
        int: st.integers(-(2**63), 2**63 - 1),
        float: st.floats(allow_nan=False, allow_infinity=False),
        bool: st.booleans(),
    }
    return simple[kind]


def _bounded(base: Any, bounds: list[Any]) -> st.SearchStrategy[Any]:
    bound = bounds[0]
    match bound:
        case Text(form=str(form)):
            return st.from_regex(form, fullmatch=True).filter(lambda text: not any(map(_fault(text), bounds)))
        case Text():
            alphabet = CHARACTERS if bound.free else PLAIN
            texts = st.text(alphabet, min_size=bound.least, max_size=min(bound.most, 40))
            return texts.filter(lambda text: bound.fault(text) is None)
        case Whole():
            return st.integers(bound.least, bound.most)
        case Real():
            return st.floats(bound.least, bound.most)
        case Entries():
            names = st.text(PLAIN, min_size=1, max_size=10)
            entries = st.dictionaries(names, st.text(PLAIN, max_size=20), max_size=min(bound.most, 3))
            return entries.filter(lambda each: bound.fault(each) is None)
        case Items():
            return st.lists(values_of(get_args(base)[0]), max_size=min(bound.most, 3))
    raise AssertionError(f"no values for {bound}")


def _fault(text: str) -> Callable[[Any], str | None]:
    return lambda bound: bound.fault(text)
