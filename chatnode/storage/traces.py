"""Proof that a text is gone: from the tables, and from the bytes of the database's files.

SQLite zeroes what it deletes (`secure_delete`), but the write-ahead log keeps older pages until it is moved into the
database and cut off, and the search index has words until it is settled. `services/forgetting.py` does it all in order.
"""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

PROBES = 16
"""How many of the removed texts are looked for; each costs one pass over the files."""

LEAST_BYTES = 12
"""A shorter text is part of others too often to prove anything."""

_CHUNK = 1 << 20


def probes(texts: Iterable[str]) -> list[str]:
    """The longest of `texts`, which are the least likely to stand elsewhere too."""
    long = {text for text in texts if len(text.encode()) >= LEAST_BYTES}
    return sorted(long, key=len, reverse=True)[:PROBES]


def forget_old_pages(connection: sqlite3.Connection) -> bool:
    """Move the write-ahead log into the database and cut it off; returns whether no reader stood in the way.

    For `Database.maintain`.
    """
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def found(database: Path, texts: list[str]) -> list[str]:
    """Those of `texts` whose bytes are in the database's file or its write-ahead log. Slow: reads both whole.

    A long text lies in pieces in pages of its own, so its first bytes are what is looked for.
    """
    needles = {text: text.encode()[:_MOST_BYTES] for text in texts}
    there: set[str] = set()
    for path in (database, database.with_name(database.name + "-wal")):
        if path.exists():
            there |= _found_in(path, needles)
    return [text for text in texts if text in there]


_MOST_BYTES = 200


def _found_in(path: Path, needles: dict[str, bytes]) -> set[str]:
    there: set[str] = set()
    overlap = b""
    for chunk in _chunks(path):
        window = overlap + chunk
        there.update(text for text, needle in needles.items() if text not in there and needle in window)
        overlap = window[-_MOST_BYTES:]
    return there


def _chunks(path: Path) -> Iterator[bytes]:
    """Read by another process: when one closes a file, the system takes all its locks away, and SQLite's are needed
    (https://www.sqlite.org/howtocorrupt.html, 2.2)."""
    with subprocess.Popen(["cat", "--", path], stdout=subprocess.PIPE) as reading:
        assert reading.stdout is not None
        while chunk := reading.stdout.read(_CHUNK):
            yield chunk
    if reading.returncode:
        raise OSError(f"{path} could not be read to its end")
