"""Files that plugins keep in their directories, as backups, restores and checks know them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

import attrs

from chatnode.model.records import record
from chatnode.storage.engine.connection import Reader

SHA256_BYTES = 32


def _check_name(_: object, __: object, name: str) -> None:
    parts = PurePosixPath(name).parts
    if not name or name != "/".join(parts) or ".." in parts or name.startswith("/") or "\0" in name:
        raise ValueError(f"{name!r} is not a path below the plugin's directory, such as blobs/ab/abcd")


def _check_sha256(_: object, __: object, sha256: bytes) -> None:
    if len(sha256) != SHA256_BYTES:
        raise ValueError(f"sha256 has {len(sha256)} bytes, not {SHA256_BYTES}: give the digest itself")


@record(frozen=True)
class StoredFile:
    """A file of a plugin that belongs to a row of its tables. `name` is its path in the plugin's directory.

    Its content never changes, and the name is never given to other content: backups keep one copy of it, or a hard
    link. It must be on disk before the row is, and stay until the row is gone.
    """

    name: str = attrs.field(validator=_check_name)
    bytes: int
    sha256: bytes = attrs.field(validator=_check_sha256)


Lister = Callable[[Reader], Iterable[StoredFile]]
"""Lists the files of a plugin that a database knows."""
FindLister = Callable[[str], Lister | None]
"""Finds a plugin's lister by the plugin's name; None if it declares none. Raises `StartError` if that is unknown."""


def size_of(path: Path) -> int | None:
    """The size of a file; None if there is none."""
    try:
        return path.lstat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return None


def is_whole(path: Path, file: StoredFile) -> bool:
    """Whether there is a file with this content."""
    if size_of(path) != file.bytes:
        return False
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest() == file.sha256
