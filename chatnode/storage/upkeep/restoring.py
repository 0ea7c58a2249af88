"""Restoring a backup: verified in full before anything is touched; what was there before is kept.

The epoch changes, so that every client resyncs from scratch: the restored node reuses numbers that clients may have
seen on other messages.
"""

from __future__ import annotations

import os
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs

from chatnode.config import Storage
from chatnode.errors import StartError
from chatnode.model.ids import new_id
from chatnode.model.times import now_ms
from chatnode.storage.engine.additions import Additions
from chatnode.storage.engine.connection import DatabaseError, connect_writer
from chatnode.storage.engine.directory import DataDirectory
from chatnode.storage.engine.durable_files import sync_directory
from chatnode.storage.engine.file_owners import chown_like_parent
from chatnode.storage.engine.group import is_full, storage_error
from chatnode.storage.engine.migrations import core_migrations, migrate
from chatnode.storage.engine.stored_files import FindLister
from chatnode.storage.node import restored
from chatnode.storage.upkeep import backups, checks, restoring_files, sealing
from chatnode.storage.upkeep.restoring_files import PutBack, put_back
from chatnode.storage.upkeep.sealing import BackupError
from chatnode.storage.upkeep.snapshots import Progress, copy_pages, no_progress, open_read_only

_WORK = "restore.partial"
_SQLITE = b"SQLite format 3\0"


@attrs.frozen
class Restored:
    """`manifest` is None for a plain copy of a database. `kept` is the place of the old database, if there was one."""

    manifest: dict[str, Any] | None
    kept: Path | None
    problems: dict[str, list[str]]
    files: PutBack


def restore(
    data: DataDirectory,
    backup: Path,
    secret: str | None,
    declared: Additions,
    find: FindLister,
    *,
    anyway: bool = False,
    progress: Progress = no_progress,
) -> Restored:
    """Replace the database with a backup, and put files of plugins in place that are missing. The caller holds the
    directory's lock. `declared` is what the core declares of its storage; `find` finds how plugins list their files.

    Problems that the checks find, other than damage of the file, refuse it unless `anyway`, and so do files that cannot
    be found; plugins are told which are missing. Raises `StartError`.
    """
    work = data.path / _WORK
    _discard(work)
    try:
        manifest = _unpack(backup, work, secret, progress)
        problems = _prepare(work, backup, declared, progress)
        if problems and not anyway:
            found = "; ".join(f"{name}: {each[0]}" for name, each in problems.items())
            raise BackupError(f"{backup}: checks of it failed: {found}. Restore it with --anyway, then repair")
        with open_read_only(work, resting=True) as reader:
            files = put_back(data, backup, manifest, reader, secret, find, progress)
        if files.lost and not anyway:
            raise BackupError(
                f"{backup}: files of plugins would be missing: {files.lost[0]} (1 of {len(files.lost)}). "
                "Restore it with --anyway to continue without them"
            )
        _finish(work, backup, files)
        kept = _put_in_place(data, work)
    except OSError as error:
        raise BackupError(f"{data.path}: cannot restore here: {error.strerror or error}") from error
    finally:
        _discard(work)
    return Restored(manifest, kept, problems, files)


def verify(backup: Path, secret: str | None, progress: Progress = no_progress) -> dict[str, Any] | None:
    """Read a whole backup, or check a plain copy of a database, such as an upgrade keeps; a copy has no manifest.

    Raises `BackupError` if it could not be restored.
    """
    if not _is_plain(backup):
        manifest = backups.verify(backup, secret, progress)
        restoring_files.verify(backup, manifest, secret, progress)
        return manifest
    try:
        with open_read_only(backup, resting=True) as reader:
            problems = checks.integrity(reader)
    except DatabaseError as error:
        raise _unreadable(backup, error) from error
    if problems:
        raise BackupError(f"{backup}: the database in it is damaged: {problems[0]}")
    return None


def _is_plain(backup: Path) -> bool:
    try:
        with backup.open("rb") as source:
            return source.read(len(_SQLITE)) == _SQLITE
    except FileNotFoundError:
        raise BackupError(f"{backup}: no such file") from None
    except OSError as error:
        raise BackupError(f"{backup}: cannot be read: {error.strerror}") from None


def _discard(work: Path) -> None:
    for name in (work.name, work.name + "-wal", work.name + "-shm", work.name + "-journal"):
        work.with_name(name).unlink(missing_ok=True)


def _unpack(backup: Path, work: Path, secret: str | None, progress: Progress) -> dict[str, Any] | None:
    plain = _is_plain(backup)
    with work.open("xb") as file:
        os.fchmod(file.fileno(), 0o600)
        chown_like_parent(work)
        if plain:  # as from before a migration, or of an earlier restore
            _copy_plain(backup, work, progress)
            return None
        manifest, pieces = sealing.read(backup, secret)
        for piece in backups.compared(backup, manifest, pieces, progress):
            file.write(piece)
        return manifest


def _copy_plain(database: Path, work: Path, progress: Progress) -> None:
    try:
        copy_pages(database, work, progress)
    except DatabaseError as error:
        if is_full(storage_error(error)):
            raise BackupError(f"{work}: cannot be written: the disk is full; make room") from error
        raise _unreadable(database, error) from error


def _unreadable(database: Path, error: DatabaseError) -> BackupError:
    return BackupError(
        f"{database}: the database in it is damaged or cannot be read: {error}. If a -wal or -journal file is next to "
        "it, copy all of them to a directory that is writable, and restore that copy"
    )


def _prepare(work: Path, backup: Path, declared: Additions, progress: Progress) -> dict[str, list[str]]:
    """Bring the copy up to date and check it; returns what the checks find."""
    size = work.stat().st_size
    progress("checking", 0, size)
    try:
        with closing(connect_writer(work, Storage())) as connection:
            connection.execute("BEGIN")
            if checks.integrity(connection):
                raise BackupError(f"{backup}: the database in it is damaged; this copy cannot be restored")
            connection.execute("COMMIT")
            migrate(connection, core_migrations())
            problems = checks.declared_problems(connection, declared)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except DatabaseError as error:
        raise BackupError(f"{backup}: cannot be used as a database of chatnode: {error}") from error
    except BackupError:
        raise
    except StartError as error:
        raise BackupError(f"{backup}: {error}") from error
    progress("checking", size, size)
    return problems


def _finish(work: Path, backup: Path, files: PutBack) -> None:
    """Give the copy a new epoch, note what plugins are to be told, and flush it to disk."""
    with closing(connect_writer(work, Storage())) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE node SET value = ? WHERE key = 'epoch'", (new_id(),))
        connection.execute(
            "INSERT INTO audit (at, action, target) VALUES (?, 'backup.restore', ?)", (now_ms(), backup.name)
        )
        restored.leave_notes(connection, files.missing)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    with work.open("rb+") as file:
        os.fsync(file.fileno())


def _put_in_place(data: DataDirectory, work: Path) -> Path | None:
    """Move the old files aside and the new one in. A mark keeps a node from starting on half of that."""
    old = [path for suffix in ("", "-wal", "-shm") if (path := Path(f"{data.database}{suffix}")).exists()]
    data.restoring.write_text("A restore was interrupted here. Run it again.\n", encoding="utf-8")
    chown_like_parent(data.restoring)
    sync_directory(data.path)
    kept = None
    if old:
        kept = _new_directory(data.path)
        for path in old:
            path.rename(kept / path.name)
            chown_like_parent(kept / path.name)
        sync_directory(kept)
    data.signing_keys.unlink(missing_ok=True)
    work.rename(data.database)
    sync_directory(data.path)
    data.restoring.unlink()
    sync_directory(data.path)
    return kept


def _new_directory(parent: Path) -> Path:
    stamp = datetime.fromtimestamp(now_ms() / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    for number in range(1, 1000):
        path = parent / (f"before-restore-{stamp}" + (f"-{number}" if number > 1 else ""))
        if not path.exists():
            path.mkdir(mode=0o700)
            chown_like_parent(path)
            return path
    raise BackupError(f"{parent}: too many directories of earlier restores; move some elsewhere")
