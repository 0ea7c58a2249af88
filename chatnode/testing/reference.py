"""What `docs/plugins/reference.md` says of the test kit: `python -m chatnode.testing.reference FILE`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import attrs

from chatnode import testing
from chatnode.reference.parts import fill_parts
from chatnode.reference.typed import shown, signature
from chatnode.testing import fixtures

_CLASSES = (testing.User, testing.LiveUser, testing.Answer)
_ALIASES = {"MakePerson": 'what the fixture `person` is: `await person("agent", role="agent")` makes a `LiveUser`'}
_OF_THE_NODE = {
    "Node": "a node; `await node.call(name, **fields)` runs a command as the operator",
    "open_node": "opens a node over a data directory, for tests of restarts: `async with open_node(path) as node`",
    "connect": "the client library, for tests over a socket: `async with connect(url, await ann.token()) as client`",
    "LiveSession": "the live session of a `LiveUser`, whose `pushes` are the events so far",
}
"""Names that are described elsewhere, and what tests do with them."""


def fill(text: str) -> str:
    """The document with its generated part up to date."""
    return fill_parts(text, {"test kit": _kit})


def _kit() -> Iterator[str]:
    yield from _fixtures()
    yield ""
    for name in sorted(testing.__all__, key=str.casefold):
        function = getattr(testing, name)
        if name in _ALIASES or name in _OF_THE_NODE:
            yield f"- `{name}`: {_ALIASES.get(name) or _OF_THE_NODE[name]}"
        elif inspect.isfunction(function):
            unwrapped = inspect.unwrap(function)
            yield f"- `{signature(name, unwrapped)}`: {_words(unwrapped)}"
    for kind in _CLASSES:
        yield from ("", f"### `{kind.__name__}`", "", inspect.getdoc(kind) or "", "", *_members(kind))


def _fixtures() -> Iterator[str]:
    for name in testing.__all__:
        fixture: Any = getattr(fixtures, name, None)
        if hasattr(fixture, "_get_wrapped_function"):
            function = fixture._get_wrapped_function()
            given: str = function.__annotations__["return"]
            if given.startswith("AsyncGenerator["):
                given = given.removeprefix("AsyncGenerator[").removesuffix("]")
            yield f"- `{name}: {given}`: {_words(function)}"


def _members(kind: type[Any]) -> Iterator[str]:
    if attrs.has(kind):
        yield from (f"- `{field.name}: {shown(field.type, kind.__module__)}`" for field in attrs.fields(kind))
    for name, member in cast("dict[str, Any]", vars(kind)).items():
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            yield f"- `{name}`: {_words(member)}".removesuffix(": ")
        elif inspect.isfunction(function := getattr(member, "__func__", member)):
            yield f"- `{signature(name, function, method=True)}`: {_words(function)}"


def _words(function: Any) -> str:
    return " ".join((inspect.getdoc(function) or "").split())


if __name__ == "__main__":
    document = Path(sys.argv[1])
    document.write_text(fill(document.read_text(encoding="utf-8")), encoding="utf-8")
