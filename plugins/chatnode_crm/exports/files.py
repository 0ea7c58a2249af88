"""The directory of exports, and which of its files are wanted."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable
from contextlib import suppress
from io import BufferedRandom
from pathlib import Path

from chatnode.api import Context, sync_directory

PART = ".part"
"""Ends the name of a file that is being written."""


def directory(ctx: Context) -> Path:
    """Where files are; only the node's user can read them."""
    found = ctx.directory / "exports"
    found.mkdir(mode=0o700, exist_ok=True)
    return found


def create(path: Path) -> BufferedRandom:
    """Open a file to write that only the node's user can read, in place of one that is there."""
    return open(path, "w+b", opener=lambda name, flags: os.open(name, flags, 0o600))


def put_in_place(file: BufferedRandom, path: Path) -> tuple[int, str]:
    """Store a file that is complete under its name, for good; returns its size and SHA-256."""
    file.flush()
    os.fsync(file.fileno())
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    os.rename(file.name, path)
    sync_directory(path.parent)
    return size, sha256


def delete_unwanted(paths: Iterable[Path], wanted: Collection[str]) -> tuple[int, int]:
    """Delete all of these files but those of exports with these ids; returns how many, and their bytes."""
    files = size = 0
    for path in paths:
        if path.name.partition(".")[0] not in wanted:
            with suppress(FileNotFoundError):
                bytes = path.stat().st_size
                path.unlink()
                files, size = files + 1, size + bytes
    return files, size
