"""Sorting more than should be in memory: records in a file without a name, their keys in memory."""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Self

IN_MEMORY = 16 * 1024 * 1024
"""Bytes of records that need no file yet."""

_KEY = struct.Struct(">QQQL")  # big-endian, so that keys are in order when their bytes are


class Spool:
    """Takes records in any order and gives them back sorted by their two numbers, which are not negative."""

    def __init__(self) -> None:
        # Not /tmp, which often is memory; TMPDIR names another place.
        directory = None if "TMPDIR" in os.environ or not os.access("/var/tmp", os.W_OK) else "/var/tmp"
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=directory)  # noqa: SIM115 -- __exit__ closes it
        self._keys: list[bytes] = []
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, first: int, second: int, record: bytes) -> None:
        """Raises `OSError` when the disk is full."""
        self._keys.append(_KEY.pack(first, second, self._size, len(record)))
        self._file.write(record)
        self._size += len(record)

    def __iter__(self) -> Iterator[bytes]:
        self._keys.sort()
        for key in self._keys:
            _, _, offset, length = _KEY.unpack(key)
            self._file.seek(offset)
            yield self._file.read(length)
