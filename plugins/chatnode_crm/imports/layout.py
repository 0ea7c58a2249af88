"""Where the files of imports are: `imports/<id>/`, with names that are the node's own. All of it blocks.

`source` is the uploaded file. `rows-<generation>` and `index-<generation>` are its rows as they were parsed; they never
change, and are replaced by those of another generation when the file is read again or rows are removed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from chatnode.api import Refusal, record, sync_directory


@record(frozen=True)
class ImportFiles:
    """The files of one import."""

    directory: Path

    @classmethod
    def of(cls, plugin: Path, id: str) -> ImportFiles:
        return cls(plugin / "imports" / id)

    @property
    def source(self) -> Path:
        return self.directory / "source"

    def rows(self, generation: str) -> Path:
        return self.directory / f"rows-{generation}"

    def index(self, generation: str) -> Path:
        return self.directory / f"index-{generation}"

    def make(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_directory(self.directory.parent)

    def remove(self) -> None:
        """Remove everything; again does nothing."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def remove_source(self) -> None:
        self.source.unlink(missing_ok=True)

    def remove_rows(self, generation: str) -> None:
        for path in (self.rows(generation), self.index(generation)):
            path.unlink(missing_ok=True)

    def keep_only(self, generation: str | None) -> None:
        """Remove the rows of other generations."""
        if not self.directory.is_dir():
            return
        kept = {self.source, self.rows(generation or ""), self.index(generation or "")}
        for path in self.directory.iterdir():
            if path not in kept:
                path.unlink(missing_ok=True)


def directories(plugin: Path) -> Iterator[str]:
    """The ids of the imports that have a directory."""
    root = plugin / "imports"
    if root.is_dir():
        yield from (entry.name for entry in os.scandir(root) if entry.is_dir(follow_symlinks=False))


def rows_gone() -> Refusal:
    """What is answered when the rows are not on the disk, as after a restore."""
    why = "the rows of the import are not on the node's disk any more; upload the file again"
    return Refusal("gone", why, path="import")
