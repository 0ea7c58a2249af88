"""What the layers promise of each other and an import cannot show."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import chatnode
from tests.sources import parsed

ROOT = Path(chatnode.__file__).parent
ABOVE_STORAGE = sorted(
    path
    for path in ROOT.rglob("*.py")
    if not path.is_relative_to(ROOT / "storage") and not path.is_relative_to(ROOT / "scaffold/template")
)
OF_CONNECTIONS = {"execute", "executemany", "executescript", "connection", "set_progress_handler", "set_authorizer"}
STATEMENT = re.compile(
    r"\s*((SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH|CREATE|ALTER|DROP|PRAGMA|EXPLAIN|ATTACH) +\w"
    r"|(BEGIN|COMMIT|END|ROLLBACK|SAVEPOINT|RELEASE|VACUUM)\b)"
)


def reaches_for_sql(source: str) -> Iterator[str]:
    """What is SQL, or of a connection that could run it, with its line."""
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.Attribute) and node.attr in OF_CONNECTIONS:
            yield f"{node.lineno}: .{node.attr}"
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and STATEMENT.match(node.value):
            yield f"{node.lineno}: {node.value[:40]!r}"


def test_only_storage_writes_sql_and_controls_transactions() -> None:
    found = {path: list(reaches_for_sql(path.read_text(encoding="utf-8"))) for path in ABOVE_STORAGE}
    assert len(found) > 100
    assert {str(path): lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line",
    [
        "tx.execute(sql)", "tx.connection.commit()", "reader.executemany(sql, rows)", "x = 'SELECT 1'",
        "x = 'ROLLBACK TO part'", "x = f'SAVEPOINT {name}'", "run = db._writer.execute",
    ],
)  # fmt: skip
def test_such_a_line_is_found(line: str) -> None:
    assert len(list(reaches_for_sql(line))) >= 1
