"""The directories of plugins: `plugins/<name>` in the data directory, for files that a plugin keeps itself.

A plugin moves its files about by renaming them, which is atomic within one file system only. So everything in a
plugin's directory must be on the same one; the directory itself may be a mount point or a link to another disk.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from chatnode.errors import StartError
from chatnode.storage.engine.file_owners import make_directory

_DROPPED = ".dropped"
"""The suffix of a directory that is being deleted; no plugin's name has a dot."""


def prepare(directory: Path) -> None:
    """Make a plugin's directory if it is missing, for its owner only. Raises `StartError` if it cannot be used."""
    try:
        make_directory(directory)
        device = directory.stat().st_dev
        for each in directory.iterdir():
            if each.is_dir() and each.stat().st_dev != device:
                raise StartError(
                    f"{each} is on another file system than {directory}: files could not be moved between them; "
                    f"put all of {directory} there instead"
                )
    except OSError as error:
        raise StartError(f"{directory}: cannot be used for the plugin's files: {error.strerror}") from None


def holds_files(directory: Path) -> bool:
    """Whether there is anything in a plugin's directory, if there is one at all."""
    return directory.is_dir() and any(directory.iterdir())


def count(directory: Path) -> tuple[int, int]:
    """How many files are in a plugin's directory, and their size in bytes."""
    sizes = [each.lstat().st_size for each in directory.rglob("*") if not each.is_dir()] if directory.is_dir() else []
    return len(sizes), sum(sizes)


def drop(directory: Path) -> tuple[int, int]:
    """Delete a plugin's directory; returns the number of files in it, and their size in bytes.

    It is renamed first: if deleting it is interrupted, `finish_drops` completes it. Raises `OSError`.
    """
    if not directory.is_dir():
        return 0, 0
    counted = count(directory)
    going = directory.with_name(directory.name + _DROPPED)
    if directory.is_symlink() or directory.is_mount():  # keeps its place: the operator put it there
        for each in directory.iterdir():
            shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()
        return counted
    shutil.rmtree(going, ignore_errors=True)
    directory.rename(going)
    shutil.rmtree(going)
    return counted


def finish_drops(plugins: Path) -> None:
    """Complete interrupted deletions. `plugins` is the directory of all plugins' directories."""
    if plugins.is_dir():
        for each in plugins.glob("*" + _DROPPED):
            shutil.rmtree(each, ignore_errors=True)
