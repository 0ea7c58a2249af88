"""Opening archives that nobody has vouched for: a directory, a zip file or a tar file, however compressed.

Nothing is ever extracted: files are read one at a time into memory, each up to `FILE_LIMIT`, whatever
sizes the archive's headers claim. Names are only compared and shown, never used to open anything outside
the archive, and a name that tries to lead outside it is reported.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from attrs import frozen

from chatnode.importers.items import Problem, Unreadable, printable

FILE_LIMIT = 64 * 1024 * 1024
"""Bytes of one file after decompression. The longest real topics of chat archives have about 30 MiB."""

FILES_LIMIT = 500_000
"""Files looked at in one archive: each costs some hundred bytes of memory for as long as it is read."""

DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    OverflowError,
    RecursionError,  # thousands of extension headers, each about the next
    RuntimeError,  # zipfile: encrypted, or a compression method this Python lacks
    lzma.LZMAError,
    struct.error,
    zlib.error,
    tarfile.TarError,
    zipfile.BadZipFile,
)
"""What the standard readers raise for files that are truncated, damaged or malicious."""

_ZIP_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")


@frozen
class Entry:
    """A regular file of an archive. `name` is as stored, with `/`; files are best read by rising `offset`."""

    name: str
    size: int
    offset: int

    @property
    def place(self) -> str:
        """The name as shown to people."""
        return printable(self.name)


class Archive(ABC):
    """An open archive. An `Entry` stays valid for another opening of the same, unchanged archive.

    Reading entries in the order of their offsets costs one decompression of the archive; going back costs
    another.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = printable(path.name or str(path))

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def files(self) -> Iterator[Entry | Problem]:
        """Every regular file, in stored order. Where the archive is damaged, the last item says so."""
        count = 0
        try:
            for item in self._files():
                if (count := count + 1) > FILES_LIMIT:
                    yield Problem(self._place, f"more than {FILES_LIMIT:,} files; the rest was skipped")
                    return
                yield item
        except DAMAGE as error:
            message = f"damaged after file {count:,}; the rest was skipped: {reason(error)}"
            yield Problem(self._place, message)

    def read(self, entry: Entry) -> bytes:
        """The content of a file. Raises `Unreadable` if it is damaged or larger than `FILE_LIMIT`."""
        if entry.size > FILE_LIMIT:
            raise Unreadable(f"larger than {FILE_LIMIT // 1024**2} MiB")
        try:
            content = self._read(entry)
        except DAMAGE as error:
            raise Unreadable(reason(error)) from error
        if len(content) > FILE_LIMIT:
            raise Unreadable(f"larger than {FILE_LIMIT // 1024**2} MiB, although its header claims less")
        return content

    @abstractmethod
    def _files(self) -> Iterator[Entry | Problem]: ...

    @abstractmethod
    def _read(self, entry: Entry) -> bytes: ...

    @abstractmethod
    def close(self) -> None: ...


def open_archive(path: Path) -> Archive:
    """Open a directory, zip or tar archive, told apart by content. Raises `Unreadable`."""
    try:
        if path.is_dir():
            return _Directory(path)
        if _signature(path).startswith(_ZIP_SIGNATURES):
            return _Zip(path)
        return _Tar(path)
    except FileNotFoundError as error:
        raise Unreadable("no such file or directory") from error
    except tarfile.ReadError as error:
        raise Unreadable(f"not a directory, zip or tar file: {reason(error)}") from error
    except DAMAGE as error:
        raise Unreadable(reason(error)) from error


def open_decompressed(path: Path) -> io.BufferedIOBase:
    """Open a file for reading what is in it. Its content tells whether that is xz, gzip, bzip2 or plain."""
    signature = _signature(path)
    if signature.startswith(b"\xfd7zXZ\x00"):
        return lzma.open(path)
    if signature.startswith(b"\x1f\x8b"):
        return gzip.open(path)
    if signature.startswith(b"BZh"):
        return bz2.open(path)
    return path.open("rb")


def reason(error: BaseException) -> str:
    """What an exception of a reading library says, on one line and never empty."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return printable(str(error)) or type(error).__name__


def _signature(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(6)


def _leads_outside(name: str) -> bool:
    return name.startswith("/") or "\\" in name or ".." in PurePosixPath(name).parts


def _unsafe(name: str) -> Problem:
    return Problem(printable(name), "the path leads outside the archive; the file was skipped")


def _irregular(name: str) -> Problem:
    return Problem(printable(name), "a link, device or sparse file; it was skipped")


class _Directory(Archive):
    """A directory. Links are not followed, and folders that start with a dot (`.git`) are passed over.

    Files that start with a dot are files like others: `.E2.9C.94.20done.json` holds the topic `✔ done`.
    """

    def _files(self) -> Iterator[Entry | Problem]:
        unreadable: list[OSError] = []
        count = 0
        for folder, folders, names in os.walk(self._path, onerror=unreadable.append):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                path = Path(folder, name)
                status = path.lstat()
                relative = path.relative_to(self._path).as_posix()
                if stat.S_ISREG(status.st_mode):
                    yield Entry(relative, status.st_size, count)
                    count += 1
                else:
                    yield _irregular(relative)
        for error in unreadable:
            yield Problem(printable(str(error.filename)), reason(error))

    def _read(self, entry: Entry) -> bytes:
        with Path(self._path, entry.name).open("rb") as file:
            return file.read(FILE_LIMIT + 1)

    def close(self) -> None:
        """Nothing is held open."""


class _Zip(Archive):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._zip = zipfile.ZipFile(path)
        # By place too: two members may have one name.
        self._members = {(info.filename, info.header_offset): info for info in self._zip.infolist()}

    def _files(self) -> Iterator[Entry | Problem]:
        for info in self._zip.infolist():
            if _leads_outside(info.filename):
                yield _unsafe(info.filename)
            elif not info.is_dir():
                yield Entry(info.filename, info.file_size, info.header_offset)

    def _read(self, entry: Entry) -> bytes:
        with self._zip.open(self._members[entry.name, entry.offset]) as file:
            return file.read(FILE_LIMIT + 1)

    def close(self) -> None:
        self._zip.close()


class _Tar(Archive):
    """A tar file. `tarfile` only reads the headers; data is read at its offset, without its help."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._stream = _BoundedReads(open_decompressed(path))
        try:
            self._tar = tarfile.open(fileobj=self._stream, mode="r:")  # noqa: SIM115 - close() does it
        except BaseException:
            self._stream.close()
            raise

    def _files(self) -> Iterator[Entry | Problem]:
        while (info := self._tar.next()) is not None:
            self._tar.members = []  # pyright: ignore[reportAttributeAccessIssue]  # else it keeps every header
            if info.size < 0:  # the next header would be an earlier one, in a loop
                raise tarfile.ReadError(f"{info.name}: negative size")
            if _leads_outside(info.name):
                yield _unsafe(info.name)
            elif info.isreg() and not info.issparse():
                yield Entry(info.name, info.size, info.offset_data)
            elif not info.isdir():
                yield _irregular(info.name)
        # A damaged header ends the listing as quietly as the block of zeros that should.
        if self._stream.latest != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("it has no end mark and may be truncated")

    def _read(self, entry: Entry) -> bytes:
        self._stream.seek(entry.offset)
        content = self._stream.read(entry.size)
        if len(content) < entry.size:
            raise EOFError("the archive ends before the file does")
        return content

    def close(self) -> None:
        self._tar.close()
        self._stream.close()


class _BoundedReads(io.BufferedIOBase):
    """A stream that refuses to read more than `FILE_LIMIT` at once.

    `tarfile` reads a long name or extended header into memory whole, at whatever size it claims to have.
    """

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._stream = stream
        self.latest = b""
        """What the last `read` gave."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= FILE_LIMIT:
            raise tarfile.ReadError("a header claims an impossible size")
        self.latest = self._stream.read(size)
        return self.latest

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self._stream.close()
        super().close()
