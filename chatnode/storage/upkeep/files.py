"""Files that appear complete or not at all, readable by their owner only."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from chatnode.errors import StartError
from chatnode.storage.engine.durable_files import PARTIAL, private_file, sync_directory
from chatnode.storage.engine.file_owners import chown_like_parent


@contextmanager
def appearing(path: Path) -> Generator[BinaryIO]:
    """A new file that gets its name when the block has ended and all of it is on disk.

    Raises `StartError` if the path exists, even as a link, or cannot be written.
    """
    try:
        if os.path.lexists(path):
            raise StartError(f"{path}: already exists; not overwritten")
        partial = path.with_name(path.name + PARTIAL)
        partial.unlink(missing_ok=True)
        try:
            with private_file(partial) as file:
                yield file
            chown_like_parent(partial)
            _name(partial, path)
        finally:
            with suppress(NotADirectoryError):
                partial.unlink(missing_ok=True)
        sync_directory(path.parent)
    except OSError as error:
        raise StartError(f"{path}: cannot be written: {error.strerror or error}") from error


def _name(partial: Path, path: Path) -> None:
    try:
        os.link(partial, path)  # which, unlike a renaming, replaces nothing
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP):
            raise
        partial.rename(path)  # a file system without links
