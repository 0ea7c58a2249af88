"""What is public stays: plugins, clients and programs that embed a node rely on these names."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import chatnode
import chatnode.node

HERE = Path(__file__).parent
NAMES = HERE / "public_names.txt"
MODULES = ("chatnode", "chatnode.api", "chatnode.client", "chatnode.testing")


def listed(module: str) -> list[str]:
    """The lines of a module in the list."""
    lines = NAMES.read_text(encoding="utf-8").split()
    return [name for place, _, name in (line.rpartition(".") for line in lines) if place == module]


@pytest.mark.parametrize("module", MODULES)
def test_public_names_are_the_listed_ones(module: str) -> None:
    there, expected = set(import_module(module).__all__), set(listed(module))
    added, gone = sorted(there - expected), sorted(expected - there)
    assert (added, gone) == ([], []), (
        f"{module} has {added} and lacks {gone} against tests/public_names.txt. If that is meant, change the list and, "
        "for plugins, docs/plugins/reference.md and API_VERSION in chatnode/hooks/plugin.py: its second number "
        "when names were added, its first when one was taken away or means something else."
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
    body = ast.parse(Path(found.__file__ or "").read_text(encoding="utf-8")).body
    for_types = [node for block in body if isinstance(block, ast.If) for node in block.body]
    imported = {
        alias.asname or alias.name
        for node in (*body, *for_types)
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
    }
    assert imported == set(found.__all__)


def test_a_name_that_is_not_public_is_missing() -> None:
    with pytest.raises(ImportError, match="open_nodes"):
        from chatnode import open_nodes  # noqa: F401  # pyright: ignore[reportAttributeAccessIssue]


def imported_by(statement: str) -> set[str]:
    """The modules that are imported after a statement in a new process."""
    script = f"{statement}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_package_alone_imports_nothing_and_its_names_are_the_nodes() -> None:
    assert {name for name in imported_by("import chatnode") if name.startswith("chatnode")} == {"chatnode"}
    assert chatnode.open_node is chatnode.node.open_node
    assert chatnode.Node is chatnode.node.Node


def test_the_client_library_carries_no_server_around() -> None:
    modules = imported_by("import chatnode.client")
    assert {"sqlite3", "argon2", "quart", "hypercorn", "pluggy", "click", "cryptography"} & modules == set()
    own = {".".join(name.split(".")[:2]) for name in modules if name.startswith("chatnode.")}
    assert own == {
        "chatnode.client", "chatnode.concurrency", "chatnode.counting", "chatnode.errors", "chatnode.model",
        "chatnode.protocol",
    }  # fmt: skip


def _as_ruff_sorts(name: str) -> tuple[int, str]:
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)
