"""What `chatnode.storage.engine.snapshot` promises: one state of the database for as long as it is open, and no reader
that others wait for."""

from __future__ import annotations

from pathlib import Path

from chatnode.config import Storage
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.snapshot import open_snapshot
from tests.storage.harness import Note, Published, noted, opened


def count(reader: Reader) -> int:
    return reader.execute("SELECT count(*) FROM notes").fetchone()[0]


async def test_a_snapshot_shows_what_was_committed_when_it_was_opened(either: Published) -> None:
    await either.write(Note(1))
    async with open_snapshot(either) as snapshot:
        await either.write(Note(2))
        assert await snapshot.read(count) == 1
        await either.write(Note(3))
        assert await snapshot.read(count) == 1
    assert await noted(either) == [1, 2, 3]
    async with open_snapshot(either) as snapshot:
        assert await snapshot.read(count) == 3


async def test_a_snapshot_holds_no_reader_of_others(path: Path) -> None:
    async with opened(path, Storage(readers=1)) as db:
        async with open_snapshot(db) as one, open_snapshot(db) as other:
            assert await one.read(count) == await other.read(count) == await db.read(count) == 0
