"""ZIP files, in which nothing is believed before it is counted."""

from __future__ import annotations

import struct
import tempfile
import zipfile
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from chatnode_crm.files.reading.model import ReadLimits, UnreadableFile

_CHUNK = 1 << 16
_SMALL = 10_000_000
"""Below this, it does not matter how much smaller the packed form is."""
_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, struct.error, ValueError, KeyError, IndexError, OverflowError,
    NotImplementedError, RuntimeError, MemoryError,
)  # fmt: skip
"""What `zipfile` raises for files that are damaged, encrypted or packed in a way that it does not know."""


class ZipMembers:
    """The files in a ZIP. What they inflate to is counted over all of them."""

    def __init__(self, packed: zipfile.ZipFile, size: int, limits: ReadLimits) -> None:
        self._packed = packed
        self._size = size
        self._limits = limits
        self.names = [info.filename for info in packed.infolist() if not info.is_dir()]

    def pieces(self, name: str, most: int | None = None) -> Generator[bytes]:
        """The content of a file, piece by piece; `most` is how many bytes it may have."""
        count = 0
        with _clear_errors(f"{name!r} in the file"), self._packed.open(name) as member:
            while piece := member.read(_CHUNK):
                count += len(piece)
                self.check_size(count)
                if most is not None and count > most:
                    raise UnreadableFile("too_large", f"{name!r} in the file has more than the maximum of {most} bytes")
                yield piece

    def check_size(self, inflated: int) -> None:
        """Refuse what inflates to more than is allowed."""
        most = self._limits.inflated_bytes
        if inflated > most:
            raise UnreadableFile("too_large", f"the file inflates to more than the maximum of {most} bytes")
        if inflated > _SMALL and inflated > self._limits.inflated_ratio * self._size:
            ratio = self._limits.inflated_ratio
            raise UnreadableFile("too_large", f"the file inflates to more than {ratio} times its size")

    def extract(self, name: str, scratch: Path | None) -> Path:
        """A copy of a file, for the caller to remove."""
        with tempfile.NamedTemporaryFile(dir=scratch, prefix="crm-", delete=False) as copy:
            path = Path(copy.name)
            try:
                for piece in self.pieces(name):
                    copy.write(piece)
            except BaseException:
                path.unlink()
                raise
        return path


@contextmanager
def open_archive(path: Path, limits: ReadLimits) -> Generator[ZipMembers]:
    """Open a ZIP whose directory is not too large, and whose files do not claim to be."""
    size = path.stat().st_size
    with _clear_errors("the file"):
        _check_directory(path, size, limits)
        packed = zipfile.ZipFile(path)
    with packed:
        archive = ZipMembers(packed, size, limits)
        if len(packed.infolist()) > limits.archive_files:
            raise UnreadableFile("too_large", f"more than {limits.archive_files} files in the archive")
        archive.check_size(sum(info.file_size for info in packed.infolist()))
        yield archive


@contextmanager
def _clear_errors(what: str) -> Generator[None]:
    try:
        yield
    except UnreadableFile:
        raise
    except _DAMAGED as refused:
        if "encrypted" in str(refused):
            raise UnreadableFile("encrypted", f"{what} is protected by a password; remove it first") from None
        raise UnreadableFile("damaged", f"{what} is damaged: {refused or type(refused).__name__}") from None


def _check_directory(path: Path, size: int, limits: ReadLimits) -> None:
    """Refuse a directory that would fill the memory: `zipfile` reads all of it, and does not look at the count."""
    with path.open("rb") as file:
        file.seek(max(size - 66_000, 0))
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise UnreadableFile("damaged", "the file is damaged: its end is missing; send it again")
    directory = _END.unpack_from(tail, at)[5]
    before = at - 20 - _END_64.size
    if before >= 0 and tail[at - 20 : at - 16] == b"PK\x06\x07":
        directory = max(directory, _END_64.unpack_from(tail, before)[8])
    if directory > limits.archive_files * 500:
        raise UnreadableFile("too_large", f"more than {limits.archive_files} files in the archive")
