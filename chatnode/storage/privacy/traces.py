"""Proof that a text is gone: from the tables, and from the bytes of the database's files.

SQLite zeroes what it deletes (`secure_delete`). What is left for a while: the words in the search index until it is
settled, copies of rows in the gaps of pages (`gaps.py`), and older pages in the write-ahead log until it is cut off.
`services/forgetting.py` removes it all, in order; that it is still to be done is kept here until it has been.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from chatnode.storage.engine.additions import CoreTable
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.dialect import greatest
from chatnode.storage.engine.transaction import Transaction

PROBES = 16
"""How many of the removed texts are looked for; each costs one pass over the files."""

LEAST_BYTES = 12
"""A shorter text is part of others too often to prove anything."""

_CHUNK = 1 << 20


def probes(texts: Iterable[str]) -> list[str]:
    """The longest of `texts`, which are the least likely to stand elsewhere too."""
    long = {text for text in texts if len(text.encode()) >= LEAST_BYTES}
    return sorted(long, key=len, reverse=True)[:PROBES]


def mark_pending_traces(tx: Transaction) -> None:
    """Note that something was removed of which the files may have traces."""
    tx.execute("UPDATE traces SET removals = removals + 1")


def pending_traces(reader: Reader) -> int | None:
    """Up to which removal the files may have traces; None when they have none."""
    removals, forgotten = reader.execute("SELECT removals, forgotten FROM traces").fetchone()
    return removals if removals > forgotten else None


def clear_pending_traces(tx: Transaction, upto: int) -> None:
    """Say that the files have no traces of what was removed before `pending_traces` returned `upto`."""
    tx.execute(f"UPDATE traces SET forgotten = {greatest('forgotten', '?')}", (upto,))  # noqa: S608


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


TABLES = (CoreTable("traces", left_out="what this node's files still have to forget"),)
