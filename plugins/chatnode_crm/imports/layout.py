"""Where the files of imports are: `imports/<id>/`, with names that are the node's own. All of it blocks.

`source` is the uploaded file. `rows-<generation>` and `index-<generation>` are its rows as they were parsed; they never
change, and are replaced by those of another generation when the file is read again or rows are removed. Files with
other names are copies that readers unpack.

The row of the import says which files are its own. Any other file is a leftover, unless the directory is in use: then
it may be one that is being written.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from threading import Lock

import trio

from chatnode.api import Refusal, new_id, record, sync_directory

_users = Counter[Path]()
_lock = Lock()


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

    @contextmanager
    def in_use(self) -> Generator[None]:
        """While files are written or read: none of them is a leftover. In any thread."""
        with _lock:
            _users[self.directory] += 1
        try:
            yield
        finally:
            with _lock:
                _users[self.directory] -= 1
                if not _users[self.directory]:
                    del _users[self.directory]

    def present(self) -> list[Path]:
        """The files that are there; none while they are in use."""
        with _lock:
            if _users[self.directory] or not self.directory.is_dir():
                return []
            return list(self.directory.iterdir())

    def of_row(self, generation: str | None, source: bool) -> set[Path]:
        """The files of an import whose row says this."""
        rows = {self.rows(generation), self.index(generation)} if generation is not None else set[Path]()
        return rows | ({self.source} if source else set())

    @asynccontextmanager
    async def new_rows(self) -> AsyncGenerator[str]:
        """The name of a generation to write. If the block fails, what it has written is removed."""
        generation = new_id()[:8]
        try:
            yield generation
        except BaseException:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(self.remove_rows, generation)
            raise


def directories(plugin: Path) -> Iterator[str]:
    """The ids of the imports that have a directory."""
    root = plugin / "imports"
    if root.is_dir():
        yield from (entry.name for entry in os.scandir(root) if entry.is_dir(follow_symlinks=False))


def rows_gone() -> Refusal:
    """What is answered when the rows are not on the disk, as after a restore."""
    why = "the rows of the import are not on the node's disk any more; upload the file again"
    return Refusal("gone", why, path="import")
