"""Whose files are: what root makes in a node's directory must be the node's, and what may not be opened says why."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from contextlib import suppress
from pathlib import Path

_FULL_BYTES = 256 * 1024
"""With less free space SQLite cannot even make its side files."""


def chown_like_parent(path: Path) -> None:
    """When root made a file or directory, let it belong to the owner of the directory it is in.

    A node runs as a user of its own, and could not open what `sudo chatnode restore` left to root.
    """
    if os.geteuid() == 0:
        with suppress(OSError):  # a file system without owners
            owner = path.parent.stat()
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def make_directory(path: Path) -> None:
    """Make a directory that only its owner may open, and those it is in, where they are missing. Raises `OSError`."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
        chown_like_parent(each)
    path.mkdir(mode=0o700, exist_ok=True)  # raises when it is a file


def cause(path: Path, error: Exception) -> str:
    """Why a database cannot be opened or written: SQLite's own words say neither whose files it is nor what is full."""
    for each in (path.parent, *(Path(f"{path}{suffix}") for suffix in ("", "-wal", "-shm"))):
        known = fault(each)
        if known is not None:
            return f"{known} ({error})"
    return str(error)


def fault(path: Path) -> str | None:
    """Why this process cannot write a file or directory, and what mends it; None when it can, or nothing is there."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        above = fault(path.parent) if isinstance(error, PermissionError) else None
        return above or f"{path}: {error.strerror}"
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return f"{path} is on a file system that is mounted read-only"
    if not os.access(path, os.R_OK | os.W_OK, effective_ids=True):
        if found.st_uid == os.geteuid():
            return f"{path} is not writable: its permissions are {stat.S_IMODE(found.st_mode):04o}, chmod u+rw it"
        owner, me = _name(found.st_uid), _name(os.geteuid())
        return f"{path} belongs to {owner} and is not writable by {me}: run as {owner}, or chown it"
    if path.is_dir() and shutil.disk_usage(path).free < _FULL_BYTES:
        return f"the disk of {path} is full: make room"
    return None


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"
