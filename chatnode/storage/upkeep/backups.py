"""Backups: made beside a living node, verified before they count, named when they are whole.

A backup is copied into the data directory first, where the database is plain anyway, opened and checked there, then
sealed into a file beside its final name, read back, flushed, and renamed. Whatever ends it in between leaves only
files that the next backup removes.

The files of plugins that the copy knows are taken into a pool beside the backups before the backup gets its name.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs

from chatnode import __version__
from chatnode.config import Backup
from chatnode.model.records import record
from chatnode.model.times import now_ms, rfc3339
from chatnode.storage.engine.additions import Additions
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.directory import DataDirectory
from chatnode.storage.engine.durable_files import PARTIAL, sync_directory
from chatnode.storage.engine.file_owners import chown_like_parent, make_directory
from chatnode.storage.engine.stored_files import FindLister
from chatnode.storage.log import log
from chatnode.storage.upkeep import checks, collecting, file_lists, ownership, rotation, sealing
from chatnode.storage.upkeep.sealing import FRAME_BYTES, BackupError
from chatnode.storage.upkeep.snapshots import Progress, copy, no_progress, open_read_only

_WORK = "backup.partial"
_LOCK = "backup.lock"
_TRIES, _TRY_SECONDS = 10, 0.01


@record(frozen=True)
class Made:
    """A finished backup: `manifest` describes its content, `removed` lists the older backups that were deleted."""

    path: Path
    manifest: dict[str, Any]
    removed: list[str] = attrs.field(factory=list[str])


def directory_of(data: DataDirectory, settings: Backup) -> Path:
    """Where the node keeps its backups."""
    return Path(settings.directory) if settings.directory else data.path / "backups"


def passphrase(settings: Backup) -> str | None:
    """The passphrase from the settings, or None. Raises `BackupError`."""
    return sealing.passphrase_of(Path(settings.passphrase_file)) if settings.passphrase_file else None


def rotate(
    data: DataDirectory,
    settings: Backup,
    secret: str | None,
    declared: Additions,
    find: FindLister,
    progress: Progress = no_progress,
) -> Made:
    """Write a backup to the backup directory and delete old ones as configured, with the files that only they listed.

    `find` finds how plugins list their files. Raises `BackupError`, also when the directory is another node's.
    """
    directory = directory_of(data, settings)
    with _one_at_a_time(data):
        try:
            make_directory(directory)
            ownership.claim(directory, data)
            for left in (*directory.glob(f"chatnode-*.backup{PARTIAL}"), *_lists_without_backup(directory)):
                left.unlink()
        except OSError as error:
            raise BackupError(f"{directory}: cannot keep backups here: {error.strerror}") from None
        path = directory / rotation.name_at(now_ms())
        made = _create(data, path, secret, declared, find if settings.files else None, progress)
        removed = rotation.superfluous([entry.name for entry in directory.iterdir()], settings, now_ms())
        for name in removed:
            (directory / name).unlink(missing_ok=True)
            file_lists.path_of(directory / name).unlink(missing_ok=True)
        if removed:
            collecting.prune(directory, secret)
    return attrs.evolve(made, removed=removed)


def _lists_without_backup(directory: Path) -> list[Path]:
    """Lists of files that belong to no backup: it was deleted, or not finished."""
    lists = directory.glob(f"chatnode-*{file_lists.SUFFIX}")
    unfinished = directory.glob(f"chatnode-*{file_lists.SUFFIX}{PARTIAL}")
    return [*(each for each in lists if not file_lists.backup_of(each).exists()), *unfinished]


def create(
    data: DataDirectory,
    path: Path,
    secret: str | None,
    declared: Additions,
    find: FindLister | None,
    progress: Progress = no_progress,
) -> Made:
    """Write a backup to `path`, which must not exist; files of plugins go to a pool beside it, unless `find` is None.

    Raises `BackupError`.
    """
    try:
        os.lstat(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise BackupError(f"{path}: cannot be written: {error.strerror}") from None
    else:
        raise BackupError(f"{path}: already exists; not overwritten")
    with _one_at_a_time(data):
        return _create(data, path, secret, declared, find, progress)


def is_running(data: DataDirectory) -> bool:
    """Whether any process makes a backup of the node now."""
    try:
        lock = os.open(data.path / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


@contextmanager
def _one_at_a_time(data: DataDirectory) -> Generator[None]:
    try:
        lock = data.open_lock(_LOCK)
    except OSError as error:
        raise BackupError(f"{data.path}: cannot be used: {error.strerror}") from None
    try:
        if not any(_locked(lock) for _ in range(_TRIES)):
            raise BackupError(f"{data.path}: another backup is being made; wait until it ends")
        yield
    finally:
        os.close(lock)


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:  # perhaps of `is_running`, which holds it for microseconds
        time.sleep(_TRY_SECONDS)
        return False
    return True


def _create(
    data: DataDirectory,
    path: Path,
    secret: str | None,
    declared: Additions,
    find: FindLister | None,
    progress: Progress,
) -> Made:
    work, partial = data.path / _WORK, path.with_name(path.name + PARTIAL)
    listed = file_lists.path_of(path)
    try:
        copy(data.database, work, progress)
        manifest = _examine(work, declared, progress)
        if find is not None:
            files = collecting.collect(data, work, path, secret, find, progress)
            manifest["files"] = {"count": files.count, "bytes": files.bytes, "added": files.added}
            manifest["problems"] |= files.problems
        partial.unlink(missing_ok=True)
        with work.open("rb") as source:
            total = manifest["bytes"]
            sealing.write(partial, manifest, source, secret, lambda done: progress("writing", done, total))
        verify(partial, secret, progress)
        chown_like_parent(partial)
        partial.rename(path)
        sync_directory(path.parent)
    except BaseException as error:
        if not path.exists():
            listed.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        raise BackupError(f"{path}: the backup could not be written: {error.strerror or error}") from error
    finally:
        for left in (work, partial):
            with suppress(NotADirectoryError):
                left.unlink(missing_ok=True)
    return Made(path, manifest)


def _examine(database: Path, declared: Additions, progress: Progress) -> dict[str, Any]:
    """Open a copy, run the checks, and describe it. Raises `BackupError` when the file itself is damaged.

    Other problems go into the manifest: a backup with a wrong count is better than none.
    """
    size = database.stat().st_size
    progress("checking", 0, size)
    with open_read_only(database, resting=True) as reader:
        problems = checks.declared_problems(reader, declared)
        if "integrity" in problems:
            raise BackupError(f"the database is damaged, its copy is not kept: {problems['integrity'][0]}")
        manifest = _describe(reader) | {"problems": problems, "bytes": size}
    progress("checking", size, size)
    with database.open("rb") as file:
        return manifest | {"sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _describe(reader: Reader) -> dict[str, Any]:
    counts = {
        table: reader.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
        for table in ("people", "conversations", "messages", "log")
    }
    schema = [f"{owner}/{name}" for owner, name in reader.execute('SELECT "set", name FROM migrations ORDER BY 1, 2')]
    return {
        "chatnode": __version__, "made_at": rfc3339(now_ms()), "schema": schema, "epoch": log.epoch(reader),
        "gid": log.head(reader), "counts": counts,
    }  # fmt: skip


def verify(path: Path, secret: str | None, progress: Progress = no_progress) -> dict[str, Any]:
    """Read a whole backup and return its manifest. Raises `BackupError` if any byte has changed."""
    manifest, pieces = sealing.read(path, secret)
    for _ in compared(path, manifest, pieces, progress):
        pass
    return manifest


def compared(path: Path, manifest: dict[str, Any], pieces: Iterator[bytes], progress: Progress) -> Iterator[bytes]:
    """Yields the pieces. Raises `BackupError` after the last one if their sum does not match the manifest."""
    digest, done = hashlib.sha256(), 0
    for piece in pieces:
        digest.update(piece)
        done += len(piece)
        if done % (16 * FRAME_BYTES) < FRAME_BYTES:
            progress("verifying", done, manifest["bytes"])
        yield piece
    if digest.hexdigest() != manifest["sha256"]:
        raise BackupError(f"{path}: its content does not match its manifest; this copy cannot be restored")
    progress("verifying", manifest["bytes"], manifest["bytes"])
