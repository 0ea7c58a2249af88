"""Checks a plugin's class of settings, of which only operators who set something would see that it is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import attrs

from chatnode.errors import StartError
from chatnode.settings import class_of_table, maximum_of


def check_settings(kind: object, table: str = "") -> None:
    """`table` is what the names of its settings begin with. Raises `StartError` for the first fault."""
    if not isinstance(kind, type) or not attrs.has(kind):
        raise StartError(f"settings is {kind!r}; expected a class decorated with attrs.frozen")
    for field in attrs.fields(kind):
        for fault in _faults(field):
            raise StartError(f"the setting {table}{field.name} {fault}")
        if (inner := class_of_table(field)) is not None:
            check_settings(inner, f"{table}{field.name}.")


def _faults(field: attrs.Attribute[Any]) -> Iterator[str]:
    default = cast("object", field.default)
    if "help" not in field.metadata:
        yield "is not declared with setting(default, help)"
    elif isinstance(default, bool) or attrs.has(type(default)):
        return
    elif isinstance(default, int | float):
        yield from _out_of_bounds(field, default)
    elif isinstance(default, tuple):
        items = cast("tuple[object, ...]", default)
        if not all(isinstance(item, str) for item in items) and field.metadata["of"] is None:
            yield f"has the default {default!r}; expected a tuple of strings"
    elif not isinstance(default, str | dict):
        yield (
            f"has the default {default!r}; expected a string, a number, true or false, a tuple, a dict, or an instance "
            "of a class of settings"
        )
    elif isinstance(default, str) and field.metadata["choices"] and default not in field.metadata["choices"]:
        yield f"has the default {default!r}, which is not one of {', '.join(field.metadata['choices'])}"


def _out_of_bounds(field: attrs.Attribute[Any], default: float) -> Iterator[str]:
    minimum = field.metadata["minimum"]
    if minimum is not None and default < minimum:
        yield f"has the default {default}; the minimum is {minimum}"
    if default > maximum_of(field):
        yield f"has the default {default}; the maximum is {maximum_of(field)}"
