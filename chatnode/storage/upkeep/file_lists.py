"""Which files of plugins belong to a backup: a list beside it, named `<backup>.files`, sealed as the backup is.

A line of JSON for each file: plugin, name, size, SHA-256, whether it is in the pool. A file that was missing when the
backup was made is listed too, so that a restore can say so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import orjson

from chatnode.model.records import record
from chatnode.storage.engine.durable_files import PARTIAL, sync_directory
from chatnode.storage.engine.file_owners import chown_like_parent
from chatnode.storage.engine.stored_files import StoredFile
from chatnode.storage.upkeep import sealing
from chatnode.storage.upkeep.pool import PLAIN, Pool
from chatnode.storage.upkeep.sealing import BackupError

SUFFIX = ".files"


@record(frozen=True)
class Listed:
    """A file of a backup."""

    plugin: str
    file: StoredFile
    in_pool: bool = True

    def line(self) -> bytes:
        file = self.file
        values = [self.plugin, file.name, file.bytes, file.sha256.hex(), self.in_pool]
        return orjson.dumps(values, option=orjson.OPT_APPEND_NEWLINE)


def path_of(backup: Path) -> Path:
    """Where the list of a backup is."""
    return backup.with_name(backup.name + SUFFIX)


def backup_of(path: Path) -> Path:
    """The backup that a list belongs to."""
    return path.with_name(path.name.removesuffix(SUFFIX))


def write(path: Path, lines: BinaryIO, pool: Pool, passphrase: str | None) -> None:
    """Seal a list, so that it appears whole. Raises `OSError`."""
    partial = path.with_name(path.name + PARTIAL)
    partial.unlink(missing_ok=True)
    try:
        sealing.write(partial, {"pool": pool.id}, lines, passphrase, salt=pool.salt)
        for _ in read(partial, passphrase):
            pass
        chown_like_parent(partial)
        os.replace(partial, path)
        sync_directory(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def pool_of(path: Path) -> str:
    """The pool in which the files of a list are. Raises `BackupError`."""
    return sealing.salt_of(path) or PLAIN


def read(path: Path, passphrase: str | None) -> Iterator[Listed]:
    """The files of a list. Raises `BackupError`, also in the middle: what came before is then not to be trusted."""
    rest = b""
    for piece in sealing.read(path, passphrase)[1]:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield _listed(path, line)
    if rest:
        raise BackupError(f"{path}: does not end; this list cannot be used")


def _listed(path: Path, line: bytes) -> Listed:
    try:
        return parse(line)
    except (ValueError, TypeError) as error:
        raise BackupError(f"{path}: this chatnode does not know its format: {error}") from None


def parse(line: bytes) -> Listed:
    """A line of a list. Raises `ValueError` or `TypeError`."""
    plugin, name, size, sha256, in_pool = orjson.loads(line)
    return Listed(plugin, StoredFile(name, size, bytes.fromhex(sha256)), in_pool)
