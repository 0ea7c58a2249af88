"""The views in `docs/embedding.md`: `python -m chatnode.reference.views FILE`. A test compares."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from chatnode.reference.parts import fill_parts
from chatnode.storage.reading.views import KINDS, VIEWS


def fill(text: str) -> str:
    """The document with its generated part up to date."""
    return fill_parts(text, {"views": _views})


def _views() -> Iterator[str]:
    for view in VIEWS:
        yield f"#### `{view.name}`"
        yield ""
        yield view.about
        yield ""
        yield "| column | type | meaning |"
        yield "| --- | --- | --- |"
        for column in view.columns:
            kind = KINDS[column.kind] + (", or NULL" if column.nullable else "")
            yield f"| `{column.name}` | {kind} | {column.about} |"
        yield ""


if __name__ == "__main__":
    document = Path(sys.argv[1])
    document.write_text(fill(document.read_text(encoding="utf-8")), encoding="utf-8")
