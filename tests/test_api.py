"""What is public stays: whoever wrote a plugin relies on these names."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NAMES = HERE / "public_names.txt"
MODULES = ("chatnode.api", "chatnode.testing")


def listed(module: str) -> list[str]:
    """The lines of a module in the list."""
    lines = NAMES.read_text(encoding="utf-8").split()
    return [line.removeprefix(f"{module}.") for line in lines if line.startswith(f"{module}.")]


@pytest.mark.parametrize("module", MODULES)
def test_public_names_are_the_listed_ones(module: str) -> None:
    there, expected = set(import_module(module).__all__), set(listed(module))
    added, gone = sorted(there - expected), sorted(expected - there)
    assert (added, gone) == ([], []), (
        f"{module} has {added} and lacks {gone} against tests/public_names.txt. If that is meant, change the list, "
        "docs/plugins/reference.md, and API_VERSION in chatnode/hooks/plugin.py: its second number when names were "
        "added, its first when one was taken away or means something else."
    )


@pytest.mark.parametrize("module", MODULES)
def test_the_list_is_sorted_and_names_what_is_there(module: str) -> None:
    names = listed(module)
    assert names == sorted(set(names))
    assert list(import_module(module).__all__) == sorted(names, key=_as_ruff_sorts)


@pytest.mark.parametrize("module", MODULES)
def test_nothing_else_is_imported_without_being_public(module: str) -> None:
    """What stands in the module and is not listed would be used all the same."""
    found = import_module(module)
    imported = {
        alias.asname or alias.name
        for node in ast.parse(Path(found.__file__ or "").read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
    }
    assert imported == set(found.__all__)


def _as_ruff_sorts(name: str) -> tuple[int, str]:
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)
