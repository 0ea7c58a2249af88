"""Small files of the node's own that are replaced as a whole: readable by its user only, on disk before they count."""

from __future__ import annotations

import os
from pathlib import Path

from chatnode.storage.engine.file_owners import chown_like_parent


def replace(path: Path, data: bytes) -> None:
    """Write beside the file and rename: after a crash there is the old content or the new, and never a part of it.

    Raises `OSError`; then the old file is as it was.
    """
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        chown_like_parent(partial)
        partial.rename(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make names that were given or taken in it durable."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
