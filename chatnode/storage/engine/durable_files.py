"""Small files of the node's own that are replaced as a whole: readable by its user only, on disk before they count."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from chatnode.storage.engine.file_owners import chown_like_parent

PARTIAL = ".partial"
"""Ends the name of a file that is being written."""


@contextmanager
def private_file(path: Path) -> Generator[BinaryIO]:
    """A new file that only its owner may open, and that is on disk when the block has ended.

    Raises `OSError`; `FileExistsError` also for a link in its place.
    """
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def replacing(path: Path) -> Generator[BinaryIO]:
    """A private file that takes the place of `path` when the block has ended, and nothing if the block fails.

    After a crash there is the old content or the new, and never a part of it. `sync_directory` makes the new durable.
    """
    partial = path.with_name(path.name + PARTIAL)
    partial.unlink(missing_ok=True)
    try:
        with private_file(partial) as file:
            yield file
        chown_like_parent(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def replace(path: Path, data: bytes) -> None:
    """Store a small file, in place of one that is there. Raises `OSError`; then the old file is as it was."""
    with replacing(path) as file:
        file.write(data)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Put the names in a directory on disk, after files were created, renamed or deleted there; it blocks."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
