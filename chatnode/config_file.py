"""Reads the settings from `config.toml` and the environment, and writes them as a `config.toml`.

The file at the top of the repository is written so (`python -m chatnode.config_file`), and a test compares the two.
Every key can be overridden by `CHATNODE_<SECTION>__<KEY>` in the environment.
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import attrs

from chatnode import environment as variables
from chatnode.config import Config
from chatnode.errors import StartError
from chatnode.settings import read_section, toml


def load(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Config:
    """Read `path` (if given), then the environment, over the defaults.

    Raises `StartError`, which names the file or variable, the key and the expected value.
    """
    values: dict[str, dict[str, Any]] = {}
    if path is not None:
        values = _read_toml(path)
    config = _overlay(Config(), values, str(path))
    return _overlay(config, *_read_environment(os.environ if environment is None else environment))


def of_values(values: Mapping[str, Any]) -> Config:
    """A configuration from sections and keys as in `config.toml`, over the defaults. Ignores the environment.

    Raises `StartError` as `load` does.
    """
    return _overlay(Config(), values, "settings")


def sections() -> Iterator[tuple[str, type[Any]]]:
    """Name and class of each section, in the order of `config.toml`."""
    defaults = Config()
    for field in attrs.fields(Config):
        if field.name not in ("of_plugins", "places"):
            yield field.name, type(getattr(defaults, field.name))


def _read_toml(path: Path) -> dict[str, dict[str, Any]]:
    try:
        return tomllib.loads(_text(path.read_bytes()))
    except FileNotFoundError:
        if path.is_symlink():
            raise StartError(f"{path}: a link to {path.readlink()}, which does not exist") from None
        raise StartError(f"{path}: no such file; omit --config to use the defaults") from None
    except OSError as error:
        raise StartError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise StartError(f"{path}: {error}") from None


def _text(data: bytes) -> str:
    """Some editors of Windows begin a text with a mark of its encoding. Raises `ValueError`."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line} is not UTF-8; save the file as UTF-8") from None


def _read_environment(environment: Mapping[str, str]) -> tuple[dict[str, dict[str, Any]], str]:
    return variables.read(environment, {name: [*attrs.fields_dict(kind)] for name, kind in sections()}), "environment"


def _overlay(config: Config, values: Mapping[str, Any], place: str) -> Config:
    known = dict(sections())
    changes: dict[str, Any] = {}
    for section, entries in values.items():
        if section in known and not isinstance(entries, dict):
            raise StartError(f"{place}: {section} must be a section, as in [{section}]")
        if section not in known:
            raise StartError(f"{place}: {_no_section(section, entries, known)}")
        own = cast("Mapping[str, Any]", entries)
        if section == "plugins":
            nested = {name: cast("Mapping[str, Any]", each) for name, each in own.items() if isinstance(each, dict)}
            own = {key: value for key, value in own.items() if key not in nested}
            changes["of_plugins"] = _merged(config.of_plugins, nested)
            changes["places"] = dict(config.places) | {name: _both(config.places.get(name), place) for name in nested}
        changes[section] = read_section(getattr(config, section), own, section, place, _sections_with)
    return attrs.evolve(config, **changes)


def _both(before: str | None, place: str) -> str:
    return place if before is None else f"{before} or {place}"


def _merged(before: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """Tables merged recursively; the later value wins."""
    merged = dict(before)
    for key, value in later.items():
        earlier = merged.get(key)
        both = isinstance(value, dict) and isinstance(earlier, dict)
        merged[key] = _merged(cast("dict[str, Any]", earlier), cast("dict[str, Any]", value)) if both else value
    return merged


def _no_section(name: str, entries: Any, known: Mapping[str, type[Any]]) -> str:
    if isinstance(entries, dict):
        return f"no section [{name}]; sections are {', '.join(known)}"
    homes = _sections_with(name)
    where = f"move it to {' or '.join(homes)}" if homes else f"the sections are {', '.join(known)}"
    return f"{name} is in no section; {where}"


def _sections_with(key: str) -> list[str]:
    """The sections that have a setting with this name."""
    return [f"[{section}]" for section, kind in sections() if key in attrs.fields_dict(kind)]


def render() -> str:
    """The text of `config.toml`: every setting with its help and its default."""
    lines = [
        "# Every setting of chatnode with its default. Your config.toml needs only the settings that you change.",
        "# An environment variable CHATNODE_<SECTION>__<KEY> overrides a setting, "
        "e.g. CHATNODE_SERVER__BIND=0.0.0.0:8008",
    ]
    for name, section in sections():
        lines += ["", f"[{name}]", *(f"# {line}" for line in (section.__doc__ or "").splitlines() if line)]
        for field in attrs.fields(section):
            lines += ["", f"# {field.metadata['help']}", f"{field.name} = {toml(field.default)}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
