"""Creates a working plugin, with a table, a command, an event, a consumer, a page, settings and tests.

The files are those in `template/`, where the plugin is called `plugname`.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from importlib.metadata import distribution
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson

from chatnode.errors import StartError
from chatnode.hooks.discovery import NAME, installed
from chatnode.storage.engine.directory import SITE
from chatnode.storage.engine.migrations import own_prefixes

_PLACEHOLDER = "plugname"
_RENAMED = {"gitignore": ".gitignore"}
"""Renamed in the template so that it has no effect there."""


def make(name: str, directory: Path) -> Path:
    """Create the plugin `name` in `directory`/chatnode-`name`, which must not exist; returns its path.

    Raises `StartError`.
    """
    if not NAME.fullmatch(name):
        raise StartError(
            f"{name!r} is not a valid plugin name: use a-z and 0-9, beginning with a letter, at most 31 characters"
        )
    if name in own_prefixes() | {"chatnode", SITE, _PLACEHOLDER}:
        raise StartError(f"{name} is a reserved name; choose another")
    if any(each.name == name and each.distribution == "chatnode" for each in installed()):
        raise StartError(f"{name} is the name of a plugin that comes with chatnode; choose another")
    place = directory / f"chatnode-{name}"
    if place.exists():
        raise StartError(f"{place}: already exists; not overwritten")
    try:
        for path, text in _files(resources.files("chatnode.scaffold").joinpath("template")):
            file = place / _named(path, name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(_named(text, name), encoding="utf-8")
        if (source := _source_of_chatnode()) is not None:
            (place / "local.mk").write_text(f"CHATNODE := {source}\n", encoding="utf-8")
    except OSError as error:
        raise StartError(f"{place}: cannot be written: {error.strerror or error}") from error
    return place


def _source_of_chatnode() -> str | None:
    """What to pass to pip to install this chatnode, if it was installed from a local directory or file.

    As the installer noted it: https://packaging.python.org/en/latest/specifications/direct-url/
    """
    noted = distribution("chatnode").read_text("direct_url.json")
    origin: dict[str, Any] = orjson.loads(noted) if noted else {}
    url = urlsplit(str(origin.get("url", "")))
    path = Path(unquote(url.path))
    if url.scheme != "file" or not path.exists() or any(char.isspace() or char in "$#'\"" for char in str(path)):
        return None
    return f"--editable {path}" if origin.get("dir_info", {}).get("editable") else str(path)


def _files(folder: Traversable, path: str = "") -> Iterator[tuple[str, str]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            if not entry.name.startswith((".", "__pycache__")):
                yield from _files(entry, f"{path}{entry.name}/")
        else:
            yield path + _RENAMED.get(entry.name, entry.name), entry.read_text(encoding="utf-8")


def _named(text: str, name: str) -> str:
    return text.replace(_PLACEHOLDER, name).replace(_PLACEHOLDER.capitalize(), name.capitalize())
