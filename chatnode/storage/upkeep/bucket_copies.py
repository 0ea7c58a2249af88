"""Copies of backups in an S3-compatible bucket, under the names that they have in the backup directory.

What a backup needs is sent before it: files of the pool, then its list, then the backup itself. So each backup in the
bucket is complete. What is there is not sent again.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from chatnode.config import Backup, Bucket
from chatnode.model.records import record
from chatnode.model.times import now_ms
from chatnode.storage.engine.directory import DataDirectory
from chatnode.storage.engine.durable_files import sync_directory
from chatnode.storage.engine.file_owners import make_directory
from chatnode.storage.upkeep import file_lists, ownership, rotation
from chatnode.storage.upkeep.bucket import BucketClient
from chatnode.storage.upkeep.names import Names
from chatnode.storage.upkeep.pool import KEY_FILE, POOLS, Pool, beside
from chatnode.storage.upkeep.sealing import BackupError
from chatnode.storage.upkeep.snapshots import Progress, no_progress


@record
class Sent:
    """What was copied: names of backups, how many files of plugins, how many bytes in all; names of those deleted."""

    backups: list[str] = attrs.field(factory=list[str])
    files: int = 0
    bytes: int = 0
    removed: list[str] = attrs.field(factory=list[str])


def copy_out(
    data: DataDirectory,
    directory: Path,
    settings: Bucket,
    keep: Backup,
    passphrase: str | None,
    progress: Progress = no_progress,
) -> Sent:
    """Copy the backups of a directory that are to be in the bucket and are not; delete old ones from it.

    Raises `BackupError`; what was sent until then is not sent again.
    """
    sent = Sent()
    with _one_at_a_time(data):
        bucket = BucketClient(settings, progress)
        if settings.delete:
            ownership.claim_bucket(bucket, data)
        there = [name for name, _ in bucket.names("chatnode-") if rotation.time_of(name)]
        failed: BackupError | None = None
        for name in _wanted(directory, there, settings, keep):
            try:
                _send(bucket, directory / name, passphrase, sent)
            except BackupError as error:  # the next may be fine
                failed = failed or error
            else:
                there.append(name)
        if failed is not None:
            raise failed
        if settings.delete:
            _delete_old(bucket, there, keep, passphrase, sent)
    return sent


def _wanted(directory: Path, there: list[str], settings: Bucket, keep: Backup) -> list[str]:
    """The backups to send, the oldest first; none that would be deleted from the bucket at once."""
    here = sorted(path.name for path in directory.glob("chatnode-*.backup") if rotation.time_of(path.name))
    if settings.which == "monthly":
        months = {_month(name) for name in there}
        here = sorted({month: name for name in reversed(here) if (month := _month(name)) not in months}.values())
    old = rotation.superfluous({*here, *there}, keep, now_ms())
    return [name for name in here if name not in there and name not in old]


def _month(name: str) -> str:
    time = rotation.time_of(name)
    return f"{time:%Y-%m}" if time is not None else ""


def _send(bucket: BucketClient, backup: Path, passphrase: str | None, sent: Sent) -> None:
    listed = file_lists.path_of(backup)
    try:
        if listed.exists():
            _send_files(bucket, listed, passphrase, sent)
            sent.bytes += bucket.send(listed, listed.name)
        sent.bytes += bucket.send(backup, backup.name)
    except FileNotFoundError as error:
        raise BackupError(
            f"{error.filename} was deleted while {backup.name} was sent; a newer backup is sent next"
        ) from None
    sent.backups.append(backup.name)


def _send_files(bucket: BucketClient, listed: Path, passphrase: str | None, sent: Sent) -> None:
    pool = Pool.existing(beside(listed), file_lists.pool_of(listed), passphrase)
    root = f"{POOLS}/{pool.id}"
    with Names() as there, Names() as needed:
        there.add(name.rpartition("/")[2] for name, _ in bucket.names(f"{root}/"))
        needed.add(pool.name_of(each.file) for each in file_lists.read(listed, passphrase) if each.in_pool)
        for name in needed:
            if name not in there:
                sent.bytes += bucket.send(pool.directory / name[:2] / name, f"{root}/{name[:2]}/{name}")
                sent.files += 1
        if passphrase is not None and KEY_FILE not in there:
            sent.bytes += bucket.send(pool.directory / KEY_FILE, f"{root}/{KEY_FILE}")


def _delete_old(bucket: BucketClient, there: list[str], keep: Backup, passphrase: str | None, sent: Sent) -> None:
    """The rules for the directory, applied to the bucket itself: what happens to the directory, such as that it is not
    mounted, deletes nothing here."""
    old = rotation.superfluous(there, keep, now_ms())
    if not old:
        return
    lists = {name for name, _ in bucket.names("chatnode-") if name.endswith(file_lists.SUFFIX)}
    bucket.delete(old)
    bucket.delete(sorted(f"{name}{file_lists.SUFFIX}" for name in old if f"{name}{file_lists.SUFFIX}" in lists))
    sent.removed += old
    kept = sorted(name for name in lists if name.removesuffix(file_lists.SUFFIX) not in old)
    _prune(bucket, kept, passphrase)


def _prune(bucket: BucketClient, lists: list[str], passphrase: str | None) -> None:
    """Delete files that no list in the bucket names; none if a list cannot be read."""
    with TemporaryDirectory(prefix="chatnode-") as work, Names() as kept:
        for name in lists:
            path = Path(work, name)
            bucket.fetch(name, path)
            try:
                id = file_lists.pool_of(path)
                pool = Pool.existing(Path(work, POOLS), id, passphrase)
                kept.add(
                    f"{POOLS}/{id}/{pool.name_of(each.file)}"
                    for each in file_lists.read(path, passphrase)
                    if each.in_pool
                )
            except BackupError:  # of another passphrase: its files cannot be told from others
                return
            kept.add([f"{POOLS}/{id}/{KEY_FILE}"])
            path.unlink()
        bucket.delete(name for name, _ in bucket.names(f"{POOLS}/") if _without_shard(name) not in kept)


def _without_shard(name: str) -> str:
    parts = name.split("/")
    return "/".join((*parts[:2], parts[-1]))


def available(settings: Bucket) -> list[str]:
    """The names of the backups in a bucket, the newest first."""
    return rotation.newest_first((name for name, _ in BucketClient(settings).names("chatnode-")), now_ms())


def fetch(
    settings: Bucket, name: str, directory: Path, passphrase: str | None, progress: Progress = no_progress
) -> Path:
    """Fetch a backup with its files into a directory, as they were in the backup directory; returns its path.

    What is there already is not fetched again. Raises `BackupError`.
    """
    bucket = BucketClient(settings, progress)
    backup = directory / name
    listed = file_lists.path_of(backup)
    try:
        make_directory(directory)
        if any(found == listed.name for found, _ in bucket.names(listed.name)):
            bucket.fetch(listed.name, listed)
            _fetch_files(bucket, listed, passphrase)
        bucket.fetch(name, backup)
        sync_directory(directory)
    except OSError as error:
        raise BackupError(f"{directory}: cannot be written: {error.strerror}") from error
    return backup


def _fetch_files(bucket: BucketClient, listed: Path, passphrase: str | None) -> None:
    pool = Pool.existing(beside(listed), file_lists.pool_of(listed), passphrase)
    root = f"{POOLS}/{pool.id}"
    make_directory(pool.directory)
    if passphrase is not None and pool.salt is not None:
        bucket.fetch(f"{root}/{KEY_FILE}", pool.directory / KEY_FILE)
    for each in file_lists.read(listed, passphrase):
        path = pool.path_of(each.file)
        if each.in_pool and not path.exists():
            make_directory(path.parent)
            bucket.fetch(f"{root}/{path.parent.name}/{path.name}", path)


@contextmanager
def _one_at_a_time(data: DataDirectory) -> Generator[None]:
    """A second copy would take files that the first has sent for ones that no backup needs."""
    lock = data.open_lock("bucket.lock")
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(f"{data.path}: backups are being copied to the bucket; wait until that ends") from None
        yield
    finally:
        os.close(lock)
