"""The pool: each content of plugins' files once, beside the backups that share it.

    files/plain/ab/<SHA-256>     without a passphrase: the file itself, a hard link where that is possible
    files/<salt>/ab/<name>       with one: sealed; the name is an HMAC, as a hash would tell who has the file what it is

Files with the same passphrase share a salt, which is kept in `files/<salt>/key.json` too. A file gets its name when it
is whole and on disk, and is never changed after that.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Self

import attrs
import orjson

from chatnode.counting import counted
from chatnode.model.records import record
from chatnode.storage.engine.durable_files import PARTIAL, private_file, sync_directory
from chatnode.storage.engine.file_owners import chown_like_parent, make_directory
from chatnode.storage.engine.stored_files import StoredFile, size_of
from chatnode.storage.upkeep import sealing
from chatnode.storage.upkeep.sealing import FRAME_BYTES, BackupError

POOLS = "files"
PLAIN = "plain"
KEY_FILE = "key.json"
_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES}
"""Why a hard link cannot be made where a copy still can."""


class NotAsStored(Exception):
    """A file is missing, or is not what its row says; the message says which. It is not in the pool."""


def beside(backup: Path) -> Path:
    """Where the pools of a backup are."""
    return backup.parent / POOLS


@record
class Pool:
    """The files of backups with one passphrase, or without one. `id` names it."""

    directory: Path
    id: str
    _passphrase: str | None
    _key: bytes
    _changed: set[Path] = attrs.field(factory=set[Path])
    _made: set[Path] = attrs.field(factory=set[Path])

    @classmethod
    def open(cls, pools: Path, passphrase: str | None) -> Self:
        """The pool for a passphrase, which is made if need be. Raises `OSError`."""
        if passphrase is None:
            return cls(pools / PLAIN, PLAIN, None, b"")
        for each in sorted(pools.glob(f"*/{KEY_FILE}")):
            with suppress(ValueError, KeyError, TypeError):  # not ours, or half written
                key, key_check = sealing.derive(passphrase, bytes.fromhex(each.parent.name))
                if orjson.loads(each.read_bytes())["key_check"] == key_check:
                    return cls(each.parent, each.parent.name, passphrase, key)
        salt = os.urandom(16)
        key, key_check = sealing.derive(passphrase, salt)
        directory = pools / salt.hex()
        make_directory(directory)
        with private_file(directory / KEY_FILE) as file:
            file.write(orjson.dumps({"key_check": key_check}))
        chown_like_parent(directory / KEY_FILE)
        sync_directory(directory)
        sync_directory(pools)
        return cls(directory, salt.hex(), passphrase, key)

    @classmethod
    def existing(cls, pools: Path, id: str, passphrase: str | None) -> Self:
        """The pool that a list names, to read from."""
        if id == PLAIN:
            return cls(pools / PLAIN, id, None, b"")
        if passphrase is None:
            raise BackupError(f"{pools / id}: is encrypted; pass its passphrase with --passphrase-file")
        return cls(pools / id, id, passphrase, sealing.derive(passphrase, bytes.fromhex(id))[0])

    @property
    def salt(self) -> bytes | None:
        return None if self._passphrase is None else bytes.fromhex(self.id)

    def name_of(self, file: StoredFile) -> str:
        """What a content is called here."""
        return (hmac.digest(self._key, b"name " + file.sha256, "sha256") if self._key else file.sha256).hex()

    def path_of(self, file: StoredFile) -> Path:
        name = self.name_of(file)
        return self.directory / name[:2] / name

    # ---- writing

    def put(self, source: Path, file: StoredFile) -> bool:
        """Take a file in, unless its content is there; returns whether it is new.

        Raises `NotAsStored`, and `OSError` when the pool cannot be written.
        """
        target = self.path_of(file)
        found = size_of(target)
        if found is not None and (self._passphrase is not None or found == file.bytes):
            return False
        if target.parent not in self._made:
            make_directory(target.parent)
            self._made.add(target.parent)
        partial = target.with_name(target.name + PARTIAL)
        partial.unlink(missing_ok=True)
        try:
            with _opened(source, file) as opened:
                self._take(source, opened, partial, file)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        self._changed.add(target.parent)
        return True

    def _take(self, source: Path, opened: _Hashing, partial: Path, file: StoredFile) -> None:
        if self._passphrase is not None:
            sealing.write(partial, {"bytes": file.bytes}, opened, self._passphrase, salt=self.salt)
            opened.check(file)
            for _ in self._pieces(partial, file):  # read back, as a backup is
                pass
            chown_like_parent(partial)
        elif not _linked(source, partial):
            with private_file(partial) as copy:
                shutil.copyfileobj(opened, copy, FRAME_BYTES)
            opened.check(file)
            chown_like_parent(partial)
        else:  # the same file, which stays its owner's
            while opened.read(FRAME_BYTES):
                pass
            opened.check(file)

    def sync(self) -> None:
        """Make the names of what was put on disk durable."""
        for each in self._changed:
            sync_directory(each)
        if self._changed:
            sync_directory(self.directory)
            sync_directory(self.directory.parent)
        self._changed.clear()

    # ---- reading

    def has(self, file: StoredFile) -> bool:
        return self.path_of(file).is_file()

    def read(self, file: StoredFile) -> Iterator[bytes]:
        """A file in pieces; it is whole only when the iterator has ended without an error. Raises `NotAsStored`."""
        return self._pieces(self.path_of(file), file)

    def _pieces(self, path: Path, file: StoredFile) -> Iterator[bytes]:
        digest, size = hashlib.sha256(), 0
        try:
            for piece in self._sealed(path) if self._passphrase is not None else _plain(path):
                digest.update(piece)
                size += len(piece)
                yield piece
        except FileNotFoundError:
            raise NotAsStored(f"{file.name} is not in {self.directory}") from None
        except BackupError as error:
            raise NotAsStored(str(error)) from None
        if (size, digest.digest()) != (file.bytes, file.sha256):
            raise NotAsStored(f"{file.name} is damaged in {self.directory}")

    def _sealed(self, path: Path) -> Iterator[bytes]:
        return sealing.read(path, self._passphrase)[1]


class _Hashing:
    """A file that is read once, with the sum of what was read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._size = 0

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(size)
        self._digest.update(data)
        self._size += len(data)
        return data

    def check(self, file: StoredFile) -> None:
        if (self._size, self._digest.digest()) != (file.bytes, file.sha256):
            raise NotAsStored(f"{file.name} is damaged")


@contextmanager
def _opened(source: Path, file: StoredFile) -> Generator[_Hashing]:
    try:
        opened = os.fdopen(os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW), "rb")
    except (FileNotFoundError, NotADirectoryError):
        raise NotAsStored(f"{file.name} is missing") from None
    except OSError as error:
        raise NotAsStored(f"{file.name} cannot be read: {error.strerror}") from None
    with opened:
        if (size := os.fstat(opened.fileno()).st_size) != file.bytes:
            raise NotAsStored(f"{file.name} has {counted(size, 'byte')}, not {file.bytes}")
        yield _Hashing(opened)


def _linked(source: Path, target: Path) -> bool:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        return False
    return True


def _plain(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(FRAME_BYTES):
            yield piece
