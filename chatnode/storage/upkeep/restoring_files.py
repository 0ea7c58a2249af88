"""The files of plugins in a restore: those that are missing come from the pool beside the backup.

They are put in place before the database is: each under its own name, which no other content ever has. If the restore
ends in between, the node is as it was, with some files that no row knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from chatnode.counting import counted
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.directory import DataDirectory
from chatnode.storage.engine.durable_files import replacing, sync_directory
from chatnode.storage.engine.file_owners import make_directory
from chatnode.storage.engine.stored_files import FindLister, is_whole
from chatnode.storage.upkeep import file_lists
from chatnode.storage.upkeep.collecting import listed_by_plugins
from chatnode.storage.upkeep.file_lists import Listed
from chatnode.storage.upkeep.pool import NotAsStored, Pool, beside
from chatnode.storage.upkeep.sealing import BackupError
from chatnode.storage.upkeep.snapshots import Progress


@attrs.define
class PutBack:
    """What became of the files: how many were there already, how many came from the pool, which are missing by plugin.

    `lost` says why, for files that should have been found.
    """

    there: int = 0
    put: int = 0
    missing: dict[str, list[str]] = attrs.field(factory=dict[str, list[str]])
    lost: list[str] = attrs.field(factory=list[str])

    def miss(self, listed: Listed, why: str | None) -> None:
        self.missing.setdefault(listed.plugin, []).append(listed.file.name)
        if why is not None:
            self.lost.append(f"{listed.plugin}: {why}")


def put_back(
    data: DataDirectory,
    backup: Path,
    manifest: dict[str, Any] | None,
    reader: Reader,
    secret: str | None,
    find: FindLister,
    progress: Progress,
) -> PutBack:
    """Put the files of a backup in place that are missing there. `reader` reads its database.

    What the backup lists counts; without a list, what plugins find in the database. Raises `BackupError` for a list
    that is damaged, and `OSError`.
    """
    done, changed, size = PutBack(), set[Path](), 0
    pool, files = _files_of(data, backup, manifest, reader, secret, find, done)
    for listed in files:
        target = data.of_plugin(listed.plugin) / listed.file.name
        size += listed.file.bytes
        progress("files", size, 0)
        if is_whole(target, listed.file):
            done.there += 1
        elif not listed.in_pool:
            done.miss(listed, None)
        else:
            _put(pool, listed, target, changed, done)
    for directory in changed:
        sync_directory(directory)
    return done


def _put(pool: Pool | None, listed: Listed, target: Path, changed: set[Path], done: PutBack) -> None:
    try:
        if pool is None:
            raise NotAsStored(f"{listed.file.name} is in no backup")
        for each in _new_directories(target.parent):
            changed.add(each.parent)
        _write(target, pool.read(listed.file))
    except NotAsStored as error:
        done.miss(listed, str(error))
    else:
        changed.add(target.parent)
        done.put += 1


def _new_directories(directory: Path) -> list[Path]:
    new = [each for each in (directory, *directory.parents) if not each.exists()]
    make_directory(directory)
    return new


def _write(target: Path, pieces: Iterator[bytes]) -> None:
    with replacing(target) as file:
        for piece in pieces:
            file.write(piece)


def _files_of(
    data: DataDirectory,
    backup: Path,
    manifest: dict[str, Any] | None,
    reader: Reader,
    secret: str | None,
    find: FindLister,
    done: PutBack,
) -> tuple[Pool | None, Iterator[Listed]]:
    path = file_lists.path_of(backup)
    if path.exists():
        return Pool.existing(beside(backup), file_lists.pool_of(path), secret), file_lists.read(path, secret)
    if _counts(manifest)["count"]:
        done.lost.append(f"{path} is missing; copy it, and the directory {beside(backup).name}, to where it was")
    listed = listed_by_plugins(data, reader, find, lambda plugin, why: done.lost.append(f"files of {plugin} {why}"))
    return None, (Listed(plugin, file) for plugin, file in listed)


def _counts(manifest: dict[str, Any] | None) -> dict[str, int]:
    return (manifest or {}).get("files") or {"count": 0, "bytes": 0}


def verify(backup: Path, manifest: dict[str, Any], secret: str | None, progress: Progress) -> tuple[int, int]:
    """Read all files of a backup; returns their number and size. Raises `BackupError` naming the first that is wrong.

    Each file is compared with its hash.
    """
    counts, count, size = _counts(manifest), 0, 0
    path = file_lists.path_of(backup)
    if not counts["count"]:
        return 0, 0
    if not path.exists():
        raise BackupError(f"{path}: is missing; it lists the files of plugins that belong to the backup")
    pool = Pool.existing(beside(backup), file_lists.pool_of(path), secret)
    for listed in file_lists.read(path, secret):
        if not listed.in_pool:
            continue
        try:
            for piece in pool.read(listed.file):
                size += len(piece)
                progress("files", size, counts["bytes"])
        except NotAsStored as error:
            raise BackupError(f"{backup}: a file of the plugin {listed.plugin} cannot be restored: {error}") from None
        count += 1
    if count != counts["count"]:
        raise BackupError(f"{path}: lists {counted(count, 'file')}, not {counts['count']}")
    return count, size
