"""`docs/embedding.md`: every block of Python is run, in order, and prints what is shown below it.

The word after `python` says what runs it; blocks with the same word share their names.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
import trio

pytestmark = pytest.mark.slow
DOCUMENT = Path(__file__).parents[2] / "docs/embedding.md"
BLOCK = re.compile(r"^```python (\w+)\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", re.DOTALL | re.MULTILINE)


def on_trio(awaiting: Coroutine[Any, Any, None]) -> None:
    async def main() -> None:
        await awaiting

    trio.run(main)


RUNS: dict[str, Callable[[Coroutine[Any, Any, None]], None]] = {"asyncio": asyncio.run, "trio": on_trio}


def compiled(text: str, line: int) -> CodeType:
    """With `await` at the top, as in `python -m asyncio`; errors show the line of the document."""
    lines = "\n" * line + text
    return compile(lines, str(DOCUMENT), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_every_block_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    document = DOCUMENT.read_text(encoding="utf-8")
    names: dict[str, dict[str, Any]] = {}
    found = list(BLOCK.finditer(document))
    assert len(found) == document.count("```python")
    for block in found:
        kind, text, shown = block.groups()
        code = compiled(text, document[: block.start()].count("\n") + 1)
        result = eval(code, names.setdefault(kind, {}))
        if inspect.iscoroutine(result):
            RUNS[kind](result)
        assert capsys.readouterr().out == (shown or ""), text
