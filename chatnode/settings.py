"""What a setting is: a field with a help text; and how values of a file, the environment or a program are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import attrs

from chatnode.errors import StartError

T = TypeVar("T")
Read = Callable[[str], str]
"""Gives a text in its usual spelling, or raises `ValueError` that says what to write instead."""


def setting(
    default: Any, help: str, *, minimum: float | None = None, choices: tuple[str, ...] = (), read: Read | None = None
) -> Any:
    """A field with its help text, which `config.toml` shows above the key.

    The type of the default is what it takes: a text, a number, true or false, or a tuple of texts. A text may be one of
    `choices`; `read` understands a text, or each of a tuple.
    """
    converter: Any = None if read is None else attrs.Converter(_read_field, takes_field=True)
    metadata = {"help": help, "minimum": minimum, "choices": choices, "read": read}
    return attrs.field(default=default, metadata=metadata, converter=converter)


def _read_field(value: Any, field: attrs.Attribute[Any]) -> Any:
    """So that settings made in Python are understood and refused as those of a file are."""
    return _understood(value, field, field.name)


def _understood(value: Any, field: attrs.Attribute[Any], place: str) -> Any:
    read: Read = field.metadata["read"]
    texts = cast("tuple[str, ...]", value if isinstance(value, tuple) else (value,))
    found: list[str] = []
    for text in texts:
        try:
            found.append(read(text))
        except ValueError as error:
            raise StartError(f"{place} is {text!r}; {error}") from None
    return tuple(dict.fromkeys(found)) if isinstance(value, tuple) else found[0]


def read_section(
    settings: T,
    entries: Mapping[str, Any],
    section: str,
    place: str,
    sections_with: Callable[[str], list[str]] = lambda _: [],
) -> T:
    """`settings` with what `entries` say instead. `sections_with` tells where else there is a setting of a name.

    Raises `StartError` that names the place, the key and what it takes.
    """
    fields = attrs.fields_dict(type(settings))  # pyright: ignore[reportArgumentType]
    converted: dict[str, Any] = {}
    for key, value in entries.items():
        if key not in fields:
            elsewhere = "".join(f"; {home} has one" for home in sections_with(key))
            raise StartError(f"{place}: no setting {section}.{key}; [{section}] has {', '.join(fields)}{elsewhere}")
        converted[key] = _convert(value, fields[key], f"{place}: {section}.{key}")
        choices = fields[key].metadata["choices"]
        if choices and converted[key] not in choices:
            raise StartError(f"{place}: {section}.{key} is {value!r}; expected one of {', '.join(choices)}")
    return attrs.evolve(settings, **converted)  # pyright: ignore[reportArgumentType]


def _convert(value: Any, field: attrs.Attribute[Any], place: str) -> Any:
    """`value` as the type of the field's default; text is taken from the environment only as it is."""
    kind = cast("type[Any]", type(field.default))
    if kind is tuple:
        items: Any = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        if isinstance(items, list) and all(isinstance(item, str) for item in items):  # pyright: ignore[reportUnknownVariableType]
            texts = cast("tuple[str, ...]", tuple(items))  # pyright: ignore[reportUnknownArgumentType]
            return _understood(texts, field, place) if field.metadata["read"] else texts
        raise StartError(f"{place} is {value!r}; expected a list of strings")
    if kind is str:
        if isinstance(value, str):
            return _understood(value, field, place) if field.metadata["read"] else value
        raise StartError(f"{place} is {value!r}; expected a string")
    if kind is bool:
        word = str(value).strip().lower() if isinstance(value, str | int) else ""
        if word not in _BOOLEANS:
            raise StartError(f"{place} is {value!r}; expected true or false")
        return _BOOLEANS[word]
    number = _number(value, kind)
    if number is None:
        raise StartError(f"{place} is {value!r}; expected {'an integer' if kind is int else 'a number'}")
    minimum = field.metadata["minimum"]
    if minimum is not None and number < minimum:
        raise StartError(f"{place} is {value!r}; the minimum is {minimum}")
    return number


_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


def _number(value: Any, kind: type[Any]) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if kind is int and isinstance(value, float):
        return None
    try:
        number = kind(value)
    except ValueError:
        return None
    return number if number == number and abs(number) != float("inf") else None


def toml(value: Any) -> str:
    """A value as `config.toml` has it."""
    if isinstance(value, tuple):
        return "[" + ", ".join(toml(item) for item in value) + "]"  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:_}" if value >= 10_000 else str(value)
    return str(value)
