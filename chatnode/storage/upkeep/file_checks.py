"""Checks that the files that plugins list are there, with their sizes, or with their hashes.

The list is spooled first, so that hashing for hours holds no snapshot of the database. What looks wrong is listed
again at the end: a file may have been deleted, with its row, in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from chatnode.counting import counted
from chatnode.storage.engine.additions import MOST_PROBLEMS
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.stored_files import Lister, StoredFile, is_whole, size_of
from chatnode.storage.upkeep.file_lists import Listed, parse

Read = Callable[[Callable[[Reader], None]], None]
"""Runs a function with a reader."""
_BATCH = 500


def wrong(
    directory: Path, lister: Lister, read: Read, deep: bool, progress: Callable[[], None] = lambda: None
) -> list[str]:
    """A line for each file of a plugin that is missing or not what its row says. `deep`: also compare hashes.

    `progress` is called again and again, and may raise.
    """
    with TemporaryFile(dir=directory.parent) as spool:
        read(lambda reader: _spool(lister, reader, spool))
        spool.seek(0)
        found = dict(_faults(directory, spool, deep, progress))
    if found:
        still = set[str]()
        read(lambda reader: still.update(file.name for file in lister(reader) if file.name in found))
        found = {name: fault for name, fault in found.items() if name in still}
    return [f"{name}: {fault}" for name, fault in found.items()][:MOST_PROBLEMS]


def _spool(lister: Lister, reader: Reader, spool: BinaryIO) -> None:
    spool.writelines(Listed("", file).line() for file in lister(reader))


def _faults(directory: Path, spool: BinaryIO, deep: bool, progress: Callable[[], None]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(spool):
        if deep or number % _BATCH == 0:
            progress()
        file = parse(line).file
        if (fault := _fault(directory / file.name, file, deep)) is not None:
            yield file.name, fault


def _fault(path: Path, file: StoredFile, deep: bool) -> str | None:
    try:
        size = size_of(path)
        if size is None:
            return "is missing"
        if size != file.bytes:
            return f"has {counted(size, 'byte')}, not {file.bytes}"
        return "is damaged: its hash differs" if deep and not is_whole(path, file) else None
    except OSError as error:
        return f"cannot be read: {error.strerror}"
