"""The data directory: one owner, one lock, the places of its files."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from chatnode import control_socket, forking
from chatnode.errors import InUse, StartError
from chatnode.storage.engine.file_owners import chown_like_parent, fault, make_directory

SITE = "site"
"""The name that no plugin can have, as what stands among their directories is something else."""


class DataDirectory:
    """Holds the directory's lock from `claim` to `release`; while it does, no other process writes here.

    The lock is the kernel's (flock) and goes with the process, so that a killed node leaves none behind. A child that
    the process forks does not hold it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()  # the node tells other programs where files are
        self._lock: int | None = None

    @property
    def database(self) -> Path:
        return self.path / "chatnode.sqlite3"

    @property
    def config(self) -> Path:
        return self.path / "config.toml"

    @property
    def control_socket(self) -> Path:
        return self.path / control_socket.NAME

    @property
    def restoring(self) -> Path:
        """Is there while a restore is under way, or after it was interrupted."""
        return self.path / "restoring"

    @property
    def signing_keys(self) -> Path:
        """Secret; in no backup."""
        return self.path / "signing.keys"

    @property
    def backup_id(self) -> Path:
        """Names this directory in that of its backups; in no backup."""
        return self.path / "backup.id"

    @property
    def tls(self) -> Path:
        """Keys and certificates that the node obtained; secret, and in no backup."""
        return self.path / "tls"

    @property
    def given_config(self) -> Path | None:
        """`config`, if it is there. A link that leads nowhere is: the node must not start with the defaults instead."""
        return self.config if os.path.lexists(self.config) else None

    @property
    def plugins(self) -> Path:
        """Has a directory for each plugin."""
        return self.path / "plugins"

    def of_plugin(self, name: str) -> Path:
        """Where the plugin keeps files of its own."""
        return self.plugins / name

    @property
    def site(self) -> Path:
        """Third-party plugins of a bundle (`chatnode/hooks/site.py`): their code, while `of_plugin` has their files."""
        return self.plugins / SITE

    def require_node(self) -> None:
        """Raises `StartError` unless there is a node here: a command that only asks makes none."""
        try:
            if os.path.lexists(self.restoring):
                return
            self.refuse_lost_database()
            if os.path.lexists(self.database):
                return
            os.stat(f"{self.path}/.")
        except FileNotFoundError:
            pass
        except OSError as error:
            raise self._unusable(error) from None
        raise StartError(
            f"no node here: {self.path} has no database; use another data directory, or run chatnode setup first"
        )

    def refuse_lost_database(self) -> None:
        """Raises `StartError` if a node was here and its database is gone or empty: a new one in its place would sooner
        or later remove the files and backups that it knows nothing of."""
        if not os.path.exists(self.database):
            if (remains := next(self._remains(), None)) is not None:
                raise StartError(
                    f"{self.path} has no database, but {remains.relative_to(self.path)} of an earlier node: restore a "
                    f"backup with chatnode restore, or move {self.database.name} and its -wal file back. For a new "
                    "node, choose another --data"
                )
        elif not self.database.stat().st_size:
            raise StartError(
                f"{self.database} has 0 bytes: if there was a database, restore a backup with chatnode restore, or "
                "copy the database again; for a new node, delete this file"
            )

    def _remains(self) -> Iterator[Path]:
        """What only a node that has run leaves."""
        yield from (each for each in (self.signing_keys, Path(f"{self.database}-wal")) if each.exists())
        yield from self.path.glob("before-restore-*/*")
        yield from self.path.glob("backups/*.backup")
        for plugin in self.plugins.glob("*/"):
            if plugin.name != SITE:
                yield from (each for each in plugin.rglob("*") if each.is_file())

    def open_lock(self, name: str) -> int:
        """A descriptor of a file that is locked, never through a link. Raises `OSError`."""
        lock = os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        chown_like_parent(self.path / name)
        return lock

    def claim(self) -> None:
        """Make the directory if need be and take its lock.

        Raises `InUse` when another process holds it, `StartError` when the directory cannot be used.
        """
        try:
            make_directory(self.path)
            lock = self.open_lock("lock")
        except OSError as error:
            raise self._unusable(error) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(lock, 32).strip()
            os.close(lock)
            raise InUse(self.path, int(owner) if owner.isdigit() else None) from None
        try:
            os.truncate(lock, 0)
            os.write(lock, f"{os.getpid()}\n".encode())
        except OSError as error:
            os.close(lock)
            raise self._unusable(error) from None
        self._lock = lock
        forking.keep_from_children(lock)

    def release(self) -> None:
        if self._lock is not None:
            forking.forget(self._lock)
            os.close(self._lock)
            self._lock = None

    def _unusable(self, error: OSError) -> StartError:
        known = fault(Path(error.filename)) if error.filename else None
        why = f"{known} ({error.strerror})" if known is not None else error.strerror or str(error)
        if known is not None and known.endswith(f": {error.strerror}"):
            why = known
        return StartError(f"{self.path}: cannot be used as a data directory: {why}")
