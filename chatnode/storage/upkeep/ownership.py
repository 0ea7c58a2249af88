"""Which node a backup directory or a bucket belongs to. Two nodes that share one would delete each other's backups as
old.

The backups do not tell: a node that was restored from one is a copy of it. So a data directory has an id that is in no
backup, and a mark beside the backups says which it belongs to.
"""

from __future__ import annotations

import socket
from pathlib import Path
from tempfile import TemporaryDirectory

from chatnode.model.ids import new_id
from chatnode.storage.engine import durable_files
from chatnode.storage.engine.directory import DataDirectory
from chatnode.storage.upkeep.bucket import BucketClient
from chatnode.storage.upkeep.sealing import BackupError

_MARK = "chatnode.owner"


def claim(directory: Path, data: DataDirectory) -> None:
    """Make a backup directory the node's, unless it is another's. Raises `BackupError`, and `OSError`."""
    mark = directory / _MARK
    if directory.resolve().is_relative_to(data.path.resolve()):
        return
    if mark.exists():
        _compare(mark, data, f"{directory} has", f"set backup.directory to another one, or delete {mark}")
    else:
        _refuse_inside_another(directory)
        durable_files.replace(mark, _mark_of(data))


def _refuse_inside_another(directory: Path) -> None:
    """A node needs no mark in its own data directory. Raises `BackupError`."""
    for parent in directory.resolve().parents:
        if DataDirectory(parent).database.exists():
            raise BackupError(
                f"{directory} is in the data directory of another node ({parent}), and each would delete the other's "
                "backups: set backup.directory to another one"
            )


def claim_bucket(bucket: BucketClient, data: DataDirectory) -> None:
    """Make what is under the prefix in a bucket the node's, unless it is another's. Raises `BackupError`."""
    try:
        with TemporaryDirectory(prefix="chatnode-") as work:
            mark = Path(work, _MARK)
            if any(name == _MARK for name, _ in bucket.names(_MARK)):
                bucket.fetch(_MARK, mark)
                mend = f"set bucket.prefix to another one, or delete its object {_MARK}"
                _compare(mark, data, "the bucket has", mend)
            else:
                mark.write_bytes(_mark_of(data))
                bucket.send(mark, _MARK)
    except OSError as error:
        raise BackupError(f"the bucket cannot be marked as this node's: {error.strerror or error}") from error


def _compare(mark: Path, data: DataDirectory, has: str, mend: str) -> None:
    found, place, *_ = *mark.read_text("utf-8", "replace").split("\n"), ""
    if found != _mark_of(data).decode().split("\n")[0]:
        raise BackupError(
            f"{has} the backups of another node ({place}), and each would delete the other's: {mend} if this node has "
            "replaced that one"
        )


def _mark_of(data: DataDirectory) -> bytes:
    try:
        id = data.backup_id.read_text("utf-8").strip()
    except FileNotFoundError:
        id = new_id()
        durable_files.replace(data.backup_id, f"{id}\n".encode())
    return f"{id}\n{socket.gethostname()}:{data.path.resolve()}\n".encode()
