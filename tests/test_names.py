"""One name means one thing: no two public classes are called the same."""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXEMPT = {"Node", "Imports"}
"""The node, and what embedding programs see of it; a part of the client library, for trio and for asyncio: one thing in
several skins."""


@cache
def modules() -> dict[Path, ast.Module]:
    paths = (*ROOT.glob("chatnode/**/*.py"), *ROOT.glob("plugins/**/*.py"))
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def test_no_two_public_classes_share_a_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path, module in modules().items():
        if "template" in path.parts:
            continue
        for node in module.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert places
    assert {name: where for name, where in places.items() if len(where) > 1 and name not in EXEMPT} == {}


def test_replies_are_nouns() -> None:
    lines = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path, module in modules().items()
        for node in ast.walk(module)
        if isinstance(node, ast.ClassDef) and node.name.endswith("Given")
    ]
    assert lines == []
