"""The files of plugins in backups: those that the database's copy knows, each taken into the pool once.

The lock of backups is held before the copy of the database is made, and until its files are taken: a plugin that asks
`backup_running` between removing rows and deleting their files leaves the files to the backup (`Context`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

import attrs

from chatnode.errors import StartError
from chatnode.model.records import record
from chatnode.storage.engine.additions import MOST_PROBLEMS
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.directory import SITE, DataDirectory
from chatnode.storage.engine.durable_files import PARTIAL
from chatnode.storage.engine.stored_files import FindLister, Lister, StoredFile
from chatnode.storage.node import plugin_directories, plugins
from chatnode.storage.upkeep import file_lists
from chatnode.storage.upkeep.file_lists import Listed
from chatnode.storage.upkeep.names import Names
from chatnode.storage.upkeep.pool import POOLS, NotAsStored, Pool, beside
from chatnode.storage.upkeep.sealing import BackupError
from chatnode.storage.upkeep.snapshots import Progress, open_read_only

Report = Callable[[str, str], None]
"""Takes a plugin, and what is wrong with its files."""
_NAME = re.compile("[a-z][a-z0-9]*")
"""Of a plugin."""


@record
class Collected:
    """The files of a backup: how many there are, their size, how many had to be added to the pool, and problems by
    name."""

    count: int = 0
    bytes: int = 0
    added: int = 0
    problems: dict[str, list[str]] = attrs.field(factory=dict[str, list[str]])

    def problem(self, plugin: str, text: str) -> None:
        found = self.problems.setdefault(f"files of {plugin}", [])
        if len(found) < MOST_PROBLEMS:
            found.append(text)


def collect(
    data: DataDirectory, copy: Path, backup: Path, secret: str | None, find: FindLister, progress: Progress
) -> Collected:
    """Take the files that a copy of the database knows into the pool beside the backup, and write their list.

    A file that is missing or damaged is a problem; the others are kept. Raises `OSError` if the pool cannot be written.
    """
    done = Collected()
    with open_read_only(copy, resting=True) as reader, TemporaryFile(dir=data.path) as lines:
        pool: Pool | None = None
        for plugin, file in listed_by_plugins(data, reader, find, done.problem):
            pool = pool or Pool.open(beside(backup), secret)
            _take(pool, data, plugin, file, lines, done)
            progress("files", done.bytes, 0)
        if pool is not None:
            pool.sync()
            lines.seek(0)
            file_lists.write(file_lists.path_of(backup), lines, pool, secret)
    return done


def _take(pool: Pool, data: DataDirectory, plugin: str, file: StoredFile, lines: BinaryIO, done: Collected) -> None:
    in_pool = True
    try:
        done.added += pool.put(data.of_plugin(plugin) / file.name, file)
        done.count += 1
        done.bytes += file.bytes
    except NotAsStored as error:
        in_pool = False
        done.problem(plugin, str(error))
    lines.write(Listed(plugin, file, in_pool).line())


def listed_by_plugins(
    data: DataDirectory, reader: Reader, find: FindLister, report: Report
) -> Iterator[tuple[str, StoredFile]]:
    """Every file that the plugins of a database list, also those of plugins that do not run.

    A plugin that cannot say is reported, if there are files of it.
    """
    for plugin in _plugins(data, reader):
        try:
            lister = find(plugin)
        except (Exception, SystemExit) as error:  # of a plugin's own code
            if plugin_directories.holds_files(data.of_plugin(plugin)):
                why = str(error) if isinstance(error, StartError) else f"raised {type(error).__name__}"
                report(plugin, f"they are not in the backup, because the plugin cannot list them: it {why}")
            continue
        if lister is not None:
            yield from ((plugin, file) for file in _listing(lister, reader, plugin, report))


def _listing(lister: Lister, reader: Reader, plugin: str, report: Report) -> Iterator[StoredFile]:
    try:
        yield from lister(reader)
    except (Exception, SystemExit) as error:
        report(plugin, f"not all are in the backup, because listing them raised {type(error).__name__}")


def _plugins(data: DataDirectory, reader: Reader) -> list[str]:
    """Plugins that may have files: known ones, and disabled or strange ones only if there are files in their
    directories, so that the code of a disabled plugin is not imported for nothing."""
    known = plugins.known(reader)
    there = {each.name for each in data.plugins.iterdir()} - {SITE} if data.plugins.is_dir() else set[str]()
    held = {each for each in there if _NAME.fullmatch(each) and plugin_directories.holds_files(data.of_plugin(each))}
    return sorted(held | {name for name, each in known.items() if not each.disabled})


def prune(directory: Path, secret: str | None) -> int:
    """Delete from the pools what no list in the directory names; returns the number of deleted files.

    A pool is left alone if any list of it, or a list that may be of it, cannot be read.
    """
    pools = directory / POOLS
    lists: dict[str, list[Path]] = {each.name: [] for each in pools.glob("*/")}
    for path in directory.glob(f"*{file_lists.SUFFIX}"):
        try:
            lists.setdefault(file_lists.pool_of(path), []).append(path)
        except BackupError:
            return 0
    return sum(_prune(pools / id, secret, found) for id, found in lists.items())


def _prune(directory: Path, secret: str | None, lists: list[Path]) -> int:
    if not directory.is_dir():
        return 0
    with Names() as kept:
        try:
            pool = Pool.existing(directory.parent, directory.name, secret) if lists else None
            for path in lists:
                kept.add(pool.name_of(each.file) for each in file_lists.read(path, secret) if each.in_pool and pool)
        except BackupError:  # of another passphrase
            return 0
        going = [path for path in directory.glob("??/*") if path.name not in kept]
    for path in going:
        path.unlink(missing_ok=True)
    return sum(not path.name.endswith(PARTIAL) for path in going)
