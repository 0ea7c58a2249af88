"""One name means one thing: no two public classes are called the same."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.sources import parsed

ROOT = Path(__file__).parent.parent
EXEMPT = {"Node", "Imports"}
"""The node, and what embedding programs see of it; a part of the client library, for trio and for asyncio: one thing in
several skins."""


@cache
def classes() -> list[tuple[str, str, bool]]:
    """Place and name of every class, and whether it is one of its module's own. The trees are not kept: a million
    objects would be looked through for garbage as long as the tests run."""
    paths = (*ROOT.glob("chatnode/**/*.py"), *ROOT.glob("plugins/**/*.py"))
    return [found for path in paths for found in _classes_in(path)]


def _classes_in(path: Path) -> Iterator[tuple[str, str, bool]]:
    module = parsed(path.read_text(encoding="utf-8"))
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef):
            yield str(path.relative_to(ROOT)), node.name, node in module.body


def test_no_two_public_classes_share_a_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for place, name, outermost in classes():
        if outermost and not name.startswith("_") and "template" not in Path(place).parts:
            places[name].append(place)
    assert places
    assert {name: where for name, where in places.items() if len(where) > 1 and name not in EXEMPT} == {}


def test_replies_are_nouns() -> None:
    assert [f"{place}: {name}" for place, name, _ in classes() if name.endswith("Given")] == []
