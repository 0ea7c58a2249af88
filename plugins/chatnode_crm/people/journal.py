"""Erasures in a file beside the database, from which they are applied again after a restore.

A backup that is older than an erasure brings the contact back; the journal stays in the plugin's directory. It holds
ids, and keyed hashes of emails. A line is on disk before its row in `crm_erasures` is removed, so none is missing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs
import orjson
import trio

from chatnode.api import Context, Querying, Transaction, json_array, record, sync_directory

_NAME = "erased.jsonl"
_MOST = 10_000
"""Lines that are written at a time."""


@record(frozen=True)
class Erasure:
    """A contact that was erased: its id, and the keyed hash of its email."""

    contact: str
    hash: str | None
    at: int


def record_erasures(tx: Transaction, erasures: Sequence[Erasure]) -> None:
    """In the transaction of the erasure; `write_out` follows."""
    tx.executemany(
        "INSERT INTO crm_erasures (contact, hash, at) VALUES (?, ?, ?)",
        [(each.contact, each.hash, each.at) for each in erasures],
    )


async def write_out(ctx: Context) -> int:
    """Write all that is noted to the file; returns how much that was. A crash may put a line there twice."""
    count = 0
    while rows := await ctx.read(_noted):
        await trio.to_thread.run_sync(_append, ctx.directory / _NAME, [erasure for _, erasure in rows])
        keys = json_array(key for key, _ in rows)
        await ctx.write(
            lambda tx, keys=keys: tx.execute(
                "DELETE FROM crm_erasures WHERE key IN (SELECT value FROM json_each(?))", (keys,)
            )
        )
        count += len(rows)
    return count


def _noted(reader: Querying) -> list[tuple[int, Erasure]]:
    rows = reader.execute("SELECT key, contact, hash, at FROM crm_erasures ORDER BY key LIMIT ?", (_MOST,))
    return [(key, Erasure(contact, hash, at)) for key, contact, hash, at in rows]


def _append(path: Path, erasures: Sequence[Erasure]) -> None:
    new = not path.exists()
    with path.open("ab") as file:
        if file.tell() and not _ends_line(path):  # a line that was cut off by a crash
            file.write(b"\n")
        file.write(b"".join(orjson.dumps(attrs.asdict(each)) + b"\n" for each in erasures))
        file.flush()
        os.fsync(file.fileno())
    if new:
        sync_directory(path.parent)


def _ends_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def read_all(directory: Path) -> Iterator[Erasure]:
    """Every erasure in the file, oldest first. A line that was cut off by a crash is left out: it is written again."""
    path = directory / _NAME
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            try:
                yield Erasure(**orjson.loads(line))
            except (orjson.JSONDecodeError, TypeError):
                continue
