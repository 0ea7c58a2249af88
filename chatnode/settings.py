"""Settings: fields with a help text, and how to read their values from a file, the environment or a program."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import attrs

from chatnode.errors import StartError

T = TypeVar("T")
Read = Callable[[str], str]
"""Returns the normalized string, or raises `ValueError`, which says what to write instead."""


def setting(
    default: Any,
    help: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    read: Read | None = None,
    of: type[Any] | None = None,
    secret: bool = False,
) -> Any:
    """A field with its help text, which `config.toml` shows above the key.

    The default determines the type: a string, a number, true or false, a tuple of strings, a table of such values (an
    instance of another class of settings) or a dict of strings by name. With `of`, a class of settings, an empty tuple
    takes tables, `[[plugins.<name>.<key>]]`, and an empty dict takes tables by name. `choices` limits a string to
    certain values; `read` checks and normalizes a string, or each string of a tuple. A `secret` string is never shown,
    and may be kept in a file that `<key>_file` names; a relative path is resolved below $CREDENTIALS_DIRECTORY, if
    systemd has set that.

    Without a `maximum`, numbers have a generous one: a thousand years for names that end in `_seconds`, `_minutes`,
    `_hours` or `_days`, and 10¹² for others.
    """
    converter: Any = None if read is None else attrs.Converter(_read_field, takes_field=True)
    metadata = {
        "help": help, "minimum": minimum, "maximum": maximum, "choices": choices, "read": read, "of": of,
        "secret": secret,
    }  # fmt: skip
    return attrs.field(default=default, metadata=metadata, converter=converter, repr=not secret)


def _read_field(value: Any, field: attrs.Attribute[Any]) -> Any:
    """Check settings created in Python like those of a file."""
    if isinstance(field.default, tuple):
        return _understood(_strings(value, field, field.name), field, field.name)
    if not isinstance(value, str):
        raise StartError(f"{field.name} is {_shown_value(value, field)}; expected a string")
    return _understood(value, field, field.name)


def _listed(text: str) -> Any:
    """The items of a list in the environment: separated by commas, or written as in a file."""
    if text.lstrip().startswith("["):  # as an IPv6 address with a port does, too
        with suppress(tomllib.TOMLDecodeError):
            return tomllib.loads(f"value = {text}")["value"]
    return [part.strip() for part in text.split(",") if part.strip()]


def _strings(value: Any, field: attrs.Attribute[Any], place: str) -> tuple[str, ...]:
    items = cast("list[Any] | tuple[Any, ...]", value)
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in items):
        return tuple(items)
    raise StartError(f"{place} is {_shown_value(value, field)}; expected a list of strings")


def _understood(value: Any, field: attrs.Attribute[Any], place: str) -> Any:
    read: Read = field.metadata["read"]
    texts = cast("tuple[str, ...]", value if isinstance(value, tuple) else (value,))
    found: list[str] = []
    for text in texts:
        try:
            found.append(read(text))
        except ValueError as error:
            raise StartError(f"{place} is {_shown_value(text, field)}; {_without(str(error), text, field)}") from None
    return tuple(dict.fromkeys(found)) if isinstance(value, tuple) else found[0]


def _shown_value(value: Any, field: attrs.Attribute[Any]) -> str:
    """A wrong value in an error, which logs and /health show."""
    return "not valid" if field.metadata["secret"] else repr(value)


def _without(reason: str, text: str, field: attrs.Attribute[Any]) -> str:
    """Why a text is wrong, without a secret text: Python's own errors quote what they were given."""
    return reason.replace(text, "…") if field.metadata["secret"] and text else reason


def read_section(
    settings: T,
    entries: Mapping[str, Any],
    section: str,
    place: str,
    sections_with: Callable[[str], list[str]] = lambda _: [],
) -> T:
    """`settings`, overridden by `entries`. `sections_with` returns the other sections that have a setting of a name.

    Raises `StartError`, which names the place, the key and the expected value.
    """
    fields = attrs.fields_dict(type(settings))  # pyright: ignore[reportArgumentType]
    converted: dict[str, Any] = {}
    for key, value in entries.items():
        if (secret := _secret_of(key, fields)) is not None:
            if secret in entries:
                raise StartError(f"{place}: {section} has {secret} and {key}; set only one of them")
            converted[secret] = _read_secret(value, f"{place}: {section}.{key}")
            continue
        if key not in fields:
            elsewhere = "".join(f"; {home} has one" for home in sections_with(key))
            if key in ("enabled", "disabled") and section.startswith("plugins."):
                raise StartError(
                    f"{place}: no setting {section}.{key}; name the plugin in plugins.disabled to disable it, or run "
                    f"chatnode plugin disable {section.removeprefix('plugins.')}"
                )
            raise StartError(f"{place}: no setting {section}.{key}; [{section}] has {', '.join(fields)}{elsewhere}")
        converted[key] = _convert(value, fields[key], place, f"{section}.{key}")
        choices = fields[key].metadata["choices"]
        if choices and converted[key] not in choices:
            told = _shown_value(value, fields[key])
            raise StartError(f"{place}: {section}.{key} is {told}; expected one of {', '.join(choices)}")
    return attrs.evolve(settings, **converted)  # pyright: ignore[reportArgumentType]


def class_of_table(field: attrs.Attribute[Any]) -> type[Any] | None:
    """The class of the table or tables that a setting takes; None for other values."""
    kind = cast("type[Any]", field.metadata.get("of") or type(field.default))
    return kind if attrs.has(kind) else None


def _secret_of(key: str, fields: Mapping[str, attrs.Attribute[Any]]) -> str | None:
    """The secret setting whose file is named by `key`."""
    name = key.removesuffix("_file")
    return name if key not in fields and name != key and name in fields and fields[name].metadata["secret"] else None


def _read_secret(path: Any, place: str) -> str:
    if not isinstance(path, str) or not path:
        raise StartError(f"{place} must be the path of a file")
    file = Path(os.environ.get("CREDENTIALS_DIRECTORY", ""), path)
    try:
        text = file.read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError:  # its text would show the contents
        raise StartError(f"{place}: {file} is not UTF-8 text") from None
    except OSError as error:
        raise StartError(f"{place}: cannot read {file}: {error.strerror}") from None
    if not text:
        raise StartError(f"{place}: {file} is empty")
    return text


def _convert_table(value: Any, field: attrs.Attribute[Any], place: str, name: str) -> Any:
    """Convert tables to the field's class. In the environment they are written as TOML values."""
    if isinstance(value, str):
        try:
            value = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError as error:
            raise StartError(f"{place}: {name} is not a valid TOML value: {error}") from None
    kind, many = field.metadata["of"], isinstance(field.default, tuple)
    if many and isinstance(value, list):
        items = cast("list[Any]", value)
        return tuple(_table(kind(), item, place, f"{name}[{index}]") for index, item in enumerate(items))
    if many:
        raise StartError(f"{place}: {name} must be a list of tables, each beginning with [[{name}]]")
    entries = _checked_table(value, place, name)
    if kind is not None:
        return {key: _table(kind(), item, place, f"{name}.{key}") for key, item in entries.items()}
    if isinstance(field.default, dict):
        wrong = next((key for key, item in entries.items() if not isinstance(item, str)), None)
        if wrong is not None:
            raise StartError(f"{place}: {name}.{wrong} must be a string")
        return dict(entries)
    return _table(field.default, entries, place, name)


def _table(settings: T, entries: Any, place: str, name: str) -> T:
    return read_section(settings, _checked_table(entries, place, name), name, place)


def _checked_table(value: Any, place: str, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise StartError(f"{place}: {name} must be a table, as in [{name}]")
    return cast("dict[str, Any]", value)


def _convert(value: Any, field: attrs.Attribute[Any], where: str, name: str) -> Any:
    """Convert `value`, which may be a string from the environment, to the type of the field's default."""
    if class_of_table(field) is not None or isinstance(field.default, dict):
        return _convert_table(value, field, where, name)
    place = f"{where}: {name}"
    kind = cast("type[Any]", type(field.default))
    if field.metadata["secret"] and not isinstance(value, str):
        raise StartError(f"{place} must be a string")
    if kind is tuple:
        items = _listed(value) if isinstance(value, str) else value
        texts = _strings(items, field, place)
        return _understood(texts, field, place) if field.metadata["read"] else texts
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
    maximum = maximum_of(field)
    if number > maximum:
        raise StartError(f"{place} is {value!r}; the maximum is {maximum}")
    return number


_THOUSAND_YEARS = {"seconds": 31_536_000_000, "minutes": 525_600_000, "hours": 8_760_000, "days": 365_000}
"""Dates that far away can still be written, and counted in milliseconds."""
_MOST = 1_000_000_000_000


def maximum_of(field: attrs.Attribute[Any]) -> float:
    """The largest value of a number."""
    maximum: float | None = field.metadata["maximum"]
    return _THOUSAND_YEARS.get(field.name.rpartition("_")[2], _MOST) if maximum is None else maximum


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
    except (ValueError, OverflowError):  # the latter for an integer that no float can be
        return None
    return number if number == number and abs(number) != float("inf") else None


def toml(value: Any) -> str:
    """A value in the syntax of `config.toml`."""
    if isinstance(value, tuple):
        return "[" + ", ".join(toml(item) for item in value) + "]"  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:_}" if value >= 10_000 else str(value)
    return str(value)
