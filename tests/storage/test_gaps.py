"""What SQLite leaves of moved rows in its pages goes, in slices, while others write; and nothing else goes."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from chatnode.storage.engine import gaps
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.gaps import Slice, Sweep, Unswept, gap_of
from chatnode.storage.engine.transaction import Transaction
from tests.storage.harness import Published, make_file, opened

ROWS = 1_500


def on_disk(db: Published) -> bytes:
    return b"".join(path.read_bytes() for path in db.path.parent.glob(f"{db.path.name}*"))


def text(number: int, words: str, length: int) -> str:
    return f"{words}-{number:06} " + "x" * length


def say(tx: Transaction) -> None:
    """Rows that are made longer at random, so that pages are split."""
    chance = random.Random(7)
    tx.execute("CREATE TABLE said (number INTEGER PRIMARY KEY, text TEXT, other TEXT)")
    tx.execute("CREATE INDEX by_other ON said (other)")
    for number in range(ROWS):
        words = text(number, "canary", chance.randint(0, 600))
        tx.execute("INSERT INTO said VALUES (?, ?, ?)", (number, words, number))
    grow(tx, "canary")


def grow(tx: Transaction, words: str) -> None:
    chance = random.Random(words)
    for _ in range(2 * ROWS):
        number = chance.randrange(ROWS)
        longer = text(number, words, chance.choice((3, 300, 900, 5_000)))
        tx.execute("UPDATE said SET text = ?, other = ? WHERE number = ?", (longer, longer[:300], number))


def remove(tx: Transaction) -> None:
    tx.execute("UPDATE said SET text = 'gone', other = ''")


def move(number: int) -> Callable[[Transaction], None]:
    """Others go on: their rows grow, so that SQLite moves pages and what is in their gaps."""
    chance = random.Random(number)

    def write(tx: Transaction) -> None:
        for _ in range(20):
            said = text(number, "living", chance.randint(0, 1_500))
            tx.execute("UPDATE said SET text = ? WHERE number = ?", (said, chance.randrange(ROWS)))

    return write


async def removed(db: Published) -> None:
    await db.write(say)
    await db.write(remove)


async def sweep(
    db: Published, sweep: Sweep, between: Callable[[int], Callable[[Transaction], None]] | None = None
) -> int:
    """To its end; how many slices it took."""
    slices = 1
    while await db.maintain(sweep.go_on) is not Slice.DONE:
        if between is not None:
            await db.write(between(slices))
        slices += 1
    await db.maintain(lambda connection: sweep.end(connection, 1_000))
    return slices


def content(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return list(connection.iterdump())
    finally:
        connection.close()


async def test_moved_rows_leave_copies_that_deleting_does_not_reach(db: Published) -> None:
    """Why all this is needed. When this fails, SQLite has become better than its documentation."""
    await removed(db)
    await db.maintain(lambda connection: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    assert on_disk(db).count(b"canary-") > 0


async def test_a_sweep_zeroes_them_and_changes_nothing_that_is_stored(db: Published) -> None:
    await removed(db)
    before = content(db.path)
    found = Sweep(db.file)
    await sweep(db, found)
    assert on_disk(db).count(b"canary-") == 0
    assert found.zeroed > 0
    assert content(db.path) == before
    again = Sweep(db.file)
    await sweep(db, again)
    assert again.zeroed == 0


async def test_a_sweep_follows_the_pages_that_are_moved_behind_it(
    db: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the smallest slices, with writes between them that move rows, and the gaps of their pages, among the pages."""
    monkeypatch.setattr(gaps, "_AT_ONCE", 8)
    await removed(db)
    slices = await sweep(db, Sweep(db.file, seconds=0), between=move)
    assert slices > 10
    assert on_disk(db).count(b"canary-") == 0
    assert on_disk(db).count(b"living-") > 0
    content(db.path)


async def test_pages_that_were_written_behind_a_sweep_are_cleaned_again(db: Published) -> None:
    await db.write(say)
    slices = await sweep(db, Sweep(db.file, seconds=0))
    sweeping = Sweep(db.file, seconds=0)
    for _ in range(slices - 2):  # nearly to the end
        assert await db.maintain(sweeping.go_on) is Slice.MORE
    await db.write(lambda tx: grow(tx, "later"))
    await db.write(remove)
    await sweep(db, sweeping)
    assert on_disk(db).count(b"later-") == 0


async def test_what_the_writer_has_in_memory_does_not_bring_them_back(db: Published) -> None:
    await removed(db)
    await sweep(db, Sweep(db.file))
    for number in range(100):
        await db.write(move(number))
    await sweep(db, Sweep(db.file))
    assert on_disk(db).count(b"canary-") == 0


async def test_the_writer_writes_clean_pages_right_after_a_sweep(db: Published) -> None:
    await removed(db)
    await sweep(db, Sweep(db.file))
    await db.write(lambda tx: tx.execute("UPDATE said SET text = 'here'"))  # every page, into the write-ahead log
    assert on_disk(db).count(b"canary-") == 0


async def test_it_waits_for_a_read_that_needs_older_pages(db: Published) -> None:
    await removed(db)
    reading = sqlite3.connect(db.path, isolation_level=None)
    reading.execute("BEGIN")
    reading.execute("SELECT count(*) FROM said").fetchone()
    await db.write(move(1))
    waiting = Sweep(db.file)
    assert await db.maintain(waiting.go_on) is Slice.BUSY
    reading.execute("COMMIT")
    await sweep(db, waiting)
    reading.close()
    assert on_disk(db).count(b"canary-") == 0


async def test_the_log_is_not_moved_by_others_while_it_sweeps(db: Published) -> None:
    """The sweep learns from it which pages were written. An idle node would move it after a moment."""
    await removed(db)
    sweeping = Sweep(db.file, seconds=0)
    assert await db.maintain(sweeping.go_on) is Slice.MORE
    await db.write(move(1))
    await trio.sleep(0.3)
    log = db.path.with_name(db.path.name + "-wal")

    def moved(connection: Reader) -> tuple[int, int]:
        return connection.execute("PRAGMA wal_autocheckpoint").fetchone()[0], log.stat().st_size

    checkpoint_pages, size = await db.maintain(moved)
    assert (checkpoint_pages, size > 0) == (0, True)
    with sqlite3.connect(f"file:{db.path}?mode=ro&immutable=1", uri=True) as without_the_log:
        assert not without_the_log.execute("SELECT 1 FROM said WHERE text LIKE 'living-%'").fetchone()
    await sweep(db, sweeping)
    assert await db.maintain(lambda connection: connection.execute("PRAGMA wal_autocheckpoint").fetchone()[0]) == 1_000


async def test_pages_of_every_size_have_their_gaps_found(tmp_path: Path) -> None:
    for size in (512, 4_096, 65_536):
        path = tmp_path / f"{size}.sqlite3"
        connection = sqlite3.connect(path)
        connection.execute(f"PRAGMA page_size={size}")
        connection.execute("CREATE TABLE t (a)")
        connection.execute("INSERT INTO t VALUES ('word')")
        connection.commit()
        connection.close()
        pages = path.read_bytes()
        begin, end = gap_of(pages, 0, size, first=True)
        assert (begin, pages[begin:end].strip(b"\0"), pages[end - 1] + 1 > 0) == (100 + 8 + 2, b"", True)
        assert b"CREATE" in pages[end : end + 40]
        begin, end = gap_of(pages, size, size, first=False)
        assert (begin - size, pages[end:].endswith(b"word")) == (10, True)


async def test_a_page_that_is_no_table_has_no_gap() -> None:
    overflow = (256).to_bytes(4) + b"\x09\x0e\x0e" + b"what somebody said at great length" * 100
    assert gap_of(overflow.ljust(4_096, b"\0"), 0, 4_096, first=False) == (0, 0)
    assert gap_of(b"\x0d" + overflow[1:].ljust(4_095, b"\0"), 0, 4_096, first=False) == (8 + 2 * 9, 0x0E0E)
    nonsense = b"\x0d\0\0\xff\xff\0\x08" + b"words" * 800
    assert gap_of(nonsense[:4_096], 0, 4_096, first=False) == (0, 0)


async def test_a_file_whose_pages_move_by_themselves_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA auto_vacuum=FULL")
        connection.execute("CREATE TABLE t (a)")
    connection.close()
    async with opened(make_file(path)) as db:
        with pytest.raises(Unswept):
            await db.maintain(Sweep(db.file).go_on)


async def test_another_process_writes_before_a_slice_or_after_it_and_never_during_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gap that was read as one may be filled by another's checkpoint before zeros are written to it."""
    met: list[str] = []
    clean = Sweep._clean

    def write_from_elsewhere(self: Sweep, number: int, several: int, size: int) -> None:
        program = (
            "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], timeout=0.2); "
            "db.execute(\"UPDATE said SET other = 'theirs'\"); db.commit(); db.execute('PRAGMA wal_checkpoint')"
        )
        done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False)
        met.append(done.stderr.strip().rpartition("\n")[2])
        clean(self, number, several, size)
        monkeypatch.setattr(Sweep, "_clean", clean)

    async with opened(path) as db:
        await removed(db)
        monkeypatch.setattr(Sweep, "_clean", write_from_elsewhere)
        await sweep(db, Sweep(db.file, seconds=0))
        assert met == ["sqlite3.OperationalError: database is locked"]
        assert b"canary" not in on_disk(db)
        assert await db.read(lambda reader: reader.execute("PRAGMA integrity_check").fetchone()) == ("ok",)


async def test_what_another_process_wrote_meanwhile_is_moved_into_the_file_first(path: Path) -> None:
    async with opened(path) as db:
        await removed(db)

        def with_a_writer_between(connection: Reader) -> Slice:
            real = gaps.empty_log

            def empty_and_write(connection: Reader) -> bool:
                emptied = real(connection)
                other = sqlite3.connect(path)
                other.execute("UPDATE said SET other = 'theirs' WHERE number = 3")
                other.commit()
                other.close()
                return emptied

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(gaps, "empty_log", empty_and_write)
                return Sweep(db.file).go_on(connection)

        assert await db.maintain(with_a_writer_between) is Slice.BUSY
