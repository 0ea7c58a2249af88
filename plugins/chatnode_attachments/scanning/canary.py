"""Proof that clamd finds what it must: a scanner that looks at nothing also answers OK.

clamd passes files over its own limits, unless it is told otherwise. So it must find the EICAR test file, which every
database knows, by itself and in an archive as large as the largest file that the node takes.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Generator
from contextlib import contextmanager

from chatnode_attachments.scanning.clamd import ClamdSession
from chatnode_attachments.scanning.verdicts import Clean, Infected, ScanVerdict, Unknown

EICAR = b"".join((rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$", b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!", b"$H+H*"))
"""The harmless file that scanners agreed to find. In pieces here, lest one of them finds this module."""

_NAME = b"eicar.com"
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_DATE = 33
"""1980-01-01, as ZIP has it."""


class Blind(Exception):
    """The scanner does not find what it must; the message says what to change."""


async def prove(session: ClamdSession, most_bytes: int, seconds: float) -> None:
    """Raises `Blind`, or `NoAnswer` of the session."""
    found = await _scan(session, EICAR, seconds)
    if not isinstance(found, Infected):
        raise Blind(f"clamd does not find the EICAR test file; is its database there? Run freshclam{_said(found)}")
    found = await _scan(session, b"\n", seconds)
    if not isinstance(found, Clean):
        raise Blind(f"clamd does not pass a file that has only a line break{_said(found)}")
    with large_canary(most_bytes) as descriptor:
        found = await session.scan(descriptor, most_bytes, seconds)
    if not isinstance(found, Infected):
        mib = most_bytes >> 20
        raise Blind(
            f"clamd does not scan archives of {mib} MiB (scan_max_mib): in clamd.conf, set MaxFileSize and "
            f"StreamMaxLength to {mib}M, MaxScanSize to more, and ScanArchive and AlertExceedsMax to yes{_said(found)}"
        )


def _said(found: ScanVerdict) -> str:
    match found:
        case Clean():
            return " (it answered OK)"
        case Infected(name):
            return f" (it found {name})"
        case Unknown(why):
            return f" ({why})"


async def _scan(session: ClamdSession, content: bytes, seconds: float) -> ScanVerdict:
    with _in_memory(len(content), {0: content}) as descriptor:
        return await session.scan(descriptor, len(content), seconds)


@contextmanager
def large_canary(bytes: int) -> Generator[int]:
    """The descriptor of an archive of this size, in memory: EICAR first, stored as it is, and the archive's directory
    at the very end.

    Zeros after EICAR would do for databases that look for its text, but not for those that know it by hash. Between
    the two is a hole, which takes no memory.
    """
    checksum, length, name = zlib.crc32(EICAR), len(EICAR), len(_NAME)
    local = _LOCAL.pack(b"PK\3\4", 10, 0, 0, 0, _DATE, checksum, length, length, name, 0) + _NAME
    central = _CENTRAL.pack(
        b"PK\1\2", 20, 10, 0, 0, 0, _DATE, checksum, length, length, name, 0, 0, 0, 0, 0, 0
    ) + _NAME  # fmt: skip
    at = bytes - len(central) - _END.size
    end = _END.pack(b"PK\5\6", 0, 0, 1, 1, len(central), at, 0)
    with _in_memory(bytes, {0: local + EICAR, at: central + end}) as descriptor:
        yield descriptor


@contextmanager
def _in_memory(bytes: int, parts: dict[int, bytes]) -> Generator[int]:
    descriptor = os.memfd_create("canary")
    try:
        os.ftruncate(descriptor, bytes)
        for at, part in parts.items():
            os.pwrite(descriptor, part, at)
        yield descriptor
    finally:
        os.close(descriptor)
