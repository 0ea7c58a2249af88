"""Bringing a data directory up to this version's tables, with a copy from before if there is something to lose."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from chatnode.config import Config
from chatnode.errors import StartError
from chatnode.logs import get_logger
from chatnode.storage.engine.additions import CoreTable
from chatnode.storage.engine.connection import DatabaseError, connect_writer
from chatnode.storage.engine.directory import DataDirectory
from chatnode.storage.engine.durable_files import sync_directory
from chatnode.storage.engine.file_owners import cause, make_directory
from chatnode.storage.engine.migrations import Migration, core_migrations, initialize, is_new, migrate, pending
from chatnode.storage.upkeep.snapshots import Progress, copy, no_progress, open_read_only

logger = get_logger("storage")


def upgrade(
    directory: DataDirectory,
    config: Config,
    migrations: Sequence[Migration] | None = None,
    progress: Progress = no_progress,
) -> list[Migration]:
    """Apply the migrations that are missing; returns them. The caller holds the directory's lock.

    Raises `StartError`; then the database is as it was before the migration that failed.
    """
    steps = core_migrations() if migrations is None else migrations
    refuse_half_restored(directory)
    directory.refuse_lost_database()
    try:
        return _upgrade(directory, config, steps, progress)
    except DatabaseError as error:
        raise StartError(f"{directory.database}: {cause(directory.database, error)}") from error


def _upgrade(
    directory: DataDirectory, config: Config, steps: Sequence[Migration], progress: Progress
) -> list[Migration]:
    with closing(connect_writer(directory.database, config.storage)) as connection:
        missing = pending(connection, steps)
        new = is_new(connection)
        if missing and not new and config.backup.keep_before_migration:
            kept = copy_before(directory, missing[0].name, config.backup.keep_before_migration, progress)
            logger.info("the old database is kept as %s", kept)
        applied = migrate(connection, steps)
        if new:
            logger.info("created the database %s", directory.database)
        for migration in () if new else applied:
            logger.info("applied migration %s/%s", migration.set, migration.name)
        initialize(connection)
    return missing


def missing_in(directory: DataDirectory) -> list[Migration]:
    """What `upgrade` would apply; looks without changing anything. Raises `StartError`."""
    refuse_half_restored(directory)
    if not directory.database.exists():
        return core_migrations()
    try:
        with open_read_only(directory.database) as reader:
            return pending(reader, core_migrations())
    except DatabaseError as error:
        raise StartError(f"{directory.database}: cannot be read: {cause(directory.database, error)}") from None


def refuse_half_restored(directory: DataDirectory) -> None:
    """Raises `StartError` when a restore was interrupted, before anything is made of what is there."""
    if directory.restoring.exists():
        raise StartError(
            f"{directory.path}: a restore was interrupted here; run chatnode restore again. "
            "The previous database is in the newest directory before-restore-…"
        )


def copy_before(directory: DataDirectory, change: str, keep: int, progress: Progress = no_progress) -> Path:
    """Copy the database before its tables change, and keep the newest `keep` such copies. Raises `StartError`."""
    folder = directory.path / "backups"
    path = folder / f"before-{change}.sqlite3"
    partial = path.with_name(path.name + ".partial")
    try:
        make_directory(folder)
        copy(directory.database, partial, progress)
        partial.rename(path)
        sync_directory(folder)
        others = [each for each in folder.glob("before-*.sqlite3") if each != path]  # a wrong clock may date them later
        for old in sorted(others, key=lambda each: each.stat().st_mtime)[: max(0, len(others) - keep + 1)]:
            old.unlink()
    except OSError as error:
        raise StartError(f"{path}: the copy from before the upgrade cannot be kept: {error.strerror}") from None
    return path


TABLES = (CoreTable("migrations", left_out="how the tables came to be"),)
