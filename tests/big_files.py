"""Files that are too large to be held in memory."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

MIB = 1 << 20


def write_random(path: Path, size: int) -> bytes:
    """The SHA-256 of what was written; `size` is in bytes, whole MiB of them."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(size // MIB):
            block = os.urandom(MIB)
            digest.update(block)
            file.write(block)
    return digest.digest()


def hash_of(path: Path) -> bytes:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
