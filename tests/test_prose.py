"""What users and plugin authors read is plain English: help, settings, errors, reference, documents and web pages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.sources import parsed

ROOT = Path(__file__).parent.parent
STUMBLERS = (
    "anew", "whoever", "whomever", "somebody", "anybody", "elsewhen", "fares", "so many", "so long", "so often",
    "for ever",
    "(?<!with )(?<!for )(?<!to )(?<!by )whom",
    r"(?:has|have|had) not(?! (?:\w+ed|been|begun|come|given|got|gone|made|met|read|run|seen|sent|taken)\b)",
)  # fmt: skip
"""Words and phrases that a native reader stumbles over: "again", "a user who" and "up to N" are better.

"has not been" is good English, "has not any" is none."""
PATTERN = re.compile(rf"\b(?:{'|'.join(STUMBLERS)})\b", re.IGNORECASE)

CODE = [*ROOT.glob("chatnode/**/*.py"), *ROOT.glob("plugins/**/*.py"), *ROOT.glob("examples/**/*.py")]
WRITTEN = [ROOT / "README.md", ROOT / "config.toml", *ROOT.glob("docs/**/*.md"), *ROOT.glob("chatnode/web/*.*")]


def stumblers(text: str) -> list[str]:
    return [found[0] for found in PATTERN.finditer(text)] if " " in text else []


def strings(tree: ast.Module) -> Iterator[ast.Constant]:
    """Every string of a module but its docstrings: help, errors, log lines. A word alone is a name."""
    lines = (node.value for node in ast.walk(tree) if isinstance(node, ast.Expr))
    documentation = {id(line) for line in lines if isinstance(line, ast.Constant)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node


def test_help_settings_and_errors_are_plain() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{string.lineno}: {words}"
        for path in CODE
        for string in strings(parsed(path.read_text(encoding="utf-8")))
        if (words := stumblers(str(string.value)))
    ]
    assert found == []


def test_documents_and_pages_are_plain() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {words}"
        for path in WRITTEN
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if (words := stumblers(line))
    ]
    assert found == []
