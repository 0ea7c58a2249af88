"""What `chatnode.storage.engine.database` promises: groups, savepoints, order, and what a failing disk does."""

from __future__ import annotations

import contextlib
import resource
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import trio
import trio.lowlevel
import trio.testing

from chatnode.config import Storage
from chatnode.errors import NodeGone, Refusal, StartError
from chatnode.model.events import SessionRevoked
from chatnode.storage.engine.connection import Reader, connect_reader, connect_writer
from chatnode.storage.engine.transaction import Committed, Recorded, Transaction
from tests import needs
from tests.storage.harness import (
    Breakable,
    Gate,
    Note,
    Published,
    break_commit,
    connecting_as,
    full_disk,
    held_up,
    logged,
    noted,
    opened,
    statements_of,
    stored,
)

# ---- groups


async def test_writes_that_wait_share_one_commit(db: Published) -> None:
    with statements_of(db) as statements:
        async with held_up(db) as writes:
            for number in range(20):
                writes.start_soon(db.write, Note(number))
    assert statements.count("COMMIT") == 2  # of the write that held the others up, and of all the others
    assert await noted(db) == list(range(20))


async def test_a_group_has_at_most_so_many_writes_as_the_setting_says(path: Path) -> None:
    async with opened(path, Storage(group_jobs=4)) as db:
        with statements_of(db) as statements:
            async with held_up(db) as writes:
                for number in range(10):
                    writes.start_soon(db.write, Note(number))
        assert statements.count("COMMIT") == 1 + 3
        assert await noted(db) == list(range(10))


async def test_a_write_returns_when_others_can_read_it(either: Published) -> None:
    """Another connection sees only what is committed."""
    await either.write(Note(1, "on disk"))
    with contextlib.closing(connect_reader(either.path)) as other:
        assert other.execute("SELECT text FROM notes").fetchall() == [("on disk",)]


async def test_every_commit_is_in_the_log_file_with_full_synchronization(either: Published) -> None:
    def modes(tx: Transaction) -> tuple[str, int, int]:
        mode = tx.execute("PRAGMA journal_mode").fetchone()[0]
        return mode, tx.execute("PRAGMA synchronous").fetchone()[0], tx.execute("PRAGMA foreign_keys").fetchone()[0]

    assert await either.write(modes) == ("wal", 2, 1)


class Working:
    """Background work with a slice after every group of writes; `fault` is raised in it."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault
        self.worked = 0

    def committed(self, recorded: list[Committed], writes_waiting: int) -> bool:
        return True

    def idle_seconds(self) -> float | None:
        return None

    def work(self, connection: Reader) -> None:
        self.worked += 1
        connection.execute("INSERT INTO notes VALUES (?, 'derived')", (1_000 + self.worked,))
        if self.fault is not None:
            raise self.fault

    def failed(self) -> None: ...


@pytest.mark.parametrize("fault", [None, ValueError("no"), sqlite3.OperationalError("no")], ids=repr)
async def test_writes_are_flushed_also_after_work_in_the_background_which_is_not(
    either: Published, fault: Exception | None
) -> None:
    either.background = working = Working(fault)
    for number in range(3):
        await either.write(Note(number, "said"))
        assert await either.write(lambda tx: tx.execute("PRAGMA synchronous").fetchone()[0]) == 2
    assert working.worked >= 3
    assert await either.maintain(lambda connection: connection.execute("PRAGMA synchronous").fetchone()[0]) == 2


# ---- savepoints, gids, results


async def test_a_write_that_raises_undoes_only_itself(db: Published) -> None:
    results: dict[int, object] = {}

    async def write(number: int, then: Exception | None) -> None:
        try:
            results[number] = await db.write(Note(number, then=then))
        except Exception as error:
            results[number] = error

    fault = ValueError("the second")
    async with held_up(db) as writes:
        for number, then in ((1, None), (2, fault), (3, Refusal("conflict", "taken")), (4, None)):
            writes.start_soon(write, number, then)
            await trio.testing.wait_all_tasks_blocked()  # so that they are handed over in this order
    assert results[1] == 1
    assert results[2] is fault
    assert isinstance(results[3], Refusal)
    assert results[4] == 2, "the gids of what was undone are used again: there are no holes"
    assert await noted(db) == [1, 4]
    assert await logged(db) == db.published_gids == [1, 2]


async def test_a_statement_that_fails_undoes_only_its_write(either: Published) -> None:
    await either.write(Note(1))
    with pytest.raises(sqlite3.IntegrityError):
        await either.write(Note(1))
    await either.write(Note(2))
    assert await noted(either) == [1, 2]
    assert await logged(either) == either.published_gids == [1, 2]


async def test_a_write_may_catch_what_a_statement_raised_and_go_on(either: Published) -> None:
    def twice(tx: Transaction) -> None:
        Note(1)(tx)
        with contextlib.suppress(sqlite3.IntegrityError):
            tx.execute("INSERT INTO notes VALUES (1, 'again')")
        Note(2)(tx)

    await either.write(twice)
    assert await noted(either) == [1, 2]


async def test_gids_go_on_after_reopening(path: Path) -> None:
    for _ in range(3):
        async with opened(path) as db:
            number = len(await noted(db))
            await db.write(Note(number))
            with pytest.raises(ValueError, match="not this one"):
                await db.write(Note(99, then=ValueError("not this one")))
    async with opened(path) as db:
        assert await logged(db) == [1, 2, 3]


async def test_the_gid_that_comes_next_is_known_before_it_is_recorded(either: Published) -> None:
    def write(tx: Transaction) -> tuple[int, int, int]:
        before = tx.next_gid
        gid = tx.record(SessionRevoked(1), people=(1,))
        return before, gid, tx.next_gid

    assert await either.write(write) == (1, 1, 2)
    assert await either.write(write) == (2, 2, 3)


async def test_events_come_first_and_in_commit_order_then_results(
    db: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results are handed out in commit order; which of the woken tasks runs first is up to trio."""
    happened: list[str] = []
    reschedule = trio.lowlevel.reschedule

    def rescheduling(task: trio.lowlevel.Task, *outcome: object) -> None:
        if task.name.startswith("write "):
            happened.append(task.name)
        reschedule(task, *outcome)  # type: ignore[arg-type]

    def publish(recorded: list[Committed]) -> None:
        happened.extend(f"event {each.gid}" for each in recorded)
        assert threading.current_thread() is threading.main_thread()

    db.on_commit = publish
    async with held_up(db) as writes:
        for number in (1, 2, 3):
            writes.start_soon(db.write, Note(number), name=f"write {number}")
            await trio.testing.wait_all_tasks_blocked()
        monkeypatch.setattr(trio.lowlevel, "reschedule", rescheduling)
    assert happened == ["event 1", "event 2", "event 3", "write 1", "write 2", "write 3"]


async def test_events_are_published_before_the_writer_of_them_goes_on(either: Published) -> None:
    gid = await either.write(Note(1))
    assert either.published_gids == [gid]


async def test_a_write_without_events_publishes_nothing(either: Published) -> None:
    calls: list[list[Recorded]] = []
    either.on_commit = calls.append
    await either.write(lambda tx: tx.execute("INSERT INTO notes VALUES (1, 'quietly')"))
    assert calls == []


async def test_a_group_is_published_at_once(db: Published) -> None:
    calls: list[list[Recorded]] = []
    db.on_commit = calls.append
    async with held_up(db) as writes:
        for number in (1, 2, 3):
            writes.start_soon(db.write, Note(number))
    assert [[each.gid for each in call] for call in calls] == [[1, 2, 3]]


async def test_who_sees_an_event_is_kept_with_it(either: Published) -> None:
    def write(tx: Transaction) -> None:
        tx.record(SessionRevoked(1), people=(7,))
        tx.record(SessionRevoked(2), people=(7, 8, 7))
        tx.record(SessionRevoked(3), conversation=5, actor=7)

    await either.write(write)
    rows = await either.read(
        lambda reader: reader.execute("SELECT gid, conversation, person, actor FROM log").fetchall()
    )
    assert rows == [(1, None, 7, None), (2, None, None, None), (3, 5, None, 7)]
    audience = await either.read(lambda reader: reader.execute("SELECT person, gid FROM log_audience").fetchall())
    assert audience == [(7, 2), (8, 2)]


# ---- cancelling


async def test_a_cancelled_waiter_ends_only_the_waiting(db: Published) -> None:
    gate = Gate()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(db.write, gate)
        await gate.reached.wait()
        with trio.move_on_after(0.02) as scope:
            await db.write(Note(1))
        assert scope.cancelled_caught
        gate.open()
    await db.write(Note(2))
    assert await noted(db) == [1, 2]
    assert db.published_gids == [1, 2]


async def test_a_task_that_is_cancelled_already_writes_nothing(either: Published) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await either.write(Note(1))
    assert scope.cancelled_caught
    assert await noted(either) == []


async def test_writing_and_reading_let_other_tasks_run(either: Published) -> None:
    with trio.testing.assert_checkpoints():
        await either.write(Note(1))
    with trio.testing.assert_checkpoints():
        await noted(either)


# ---- reading


async def test_readers_cannot_write(either: Published) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await either.read(lambda reader: reader.execute("INSERT INTO notes VALUES (1, 'by a reader')"))
    assert await noted(either) == []


async def test_a_read_that_raises_leaves_the_reader_usable(either: Published) -> None:
    for _ in range(3):  # more often than there are readers
        with pytest.raises(Refusal, match="not_found"):
            await either.read(_refuse)
    await either.write(Note(1))
    assert await noted(either) == [1]


def _refuse(reader: Reader) -> None:
    reader.execute("SELECT count(*) FROM notes").fetchone()
    raise Refusal("not_found", "there is no such thing")


async def test_a_read_is_one_snapshot(db: Published) -> None:
    gate = Gate()
    counts: list[int] = []

    def read(reader: Reader) -> None:
        for wait in (gate, lambda _: None):
            counts.append(reader.execute("SELECT count(*) FROM notes").fetchone()[0])
            wait(reader)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(db.read, read)
        await gate.reached.wait()
        await db.write(Note(1))
        assert await noted(db) == [1], "another reader sees it"
        gate.open()
    assert counts == [0, 0]


async def test_a_slow_read_holds_up_no_write_and_no_other_reader(db: Published) -> None:
    gate = Gate()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(db.read, gate)
        await gate.reached.wait()
        with trio.fail_after(5):
            await db.write(Note(1))
            assert await noted(db) == [1]
        gate.open()


async def test_a_cancelled_read_ends_the_waiting(db: Published) -> None:
    gate = Gate()
    with trio.move_on_after(0.05) as scope:
        await db.read(gate)
    assert scope.cancelled_caught
    gate.open()
    assert await noted(db) == []


# ---- opening


@pytest.mark.parametrize("content", [b"this is no database, but a text that somebody left here", b"\0" * 4096])
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "notes.txt").write_bytes(content)
    with pytest.raises(StartError, match=r"notes\.txt: cannot be opened as a database"):
        connect_writer(tmp_path / "notes.txt", Storage())


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="cannot be opened"):
        connect_writer(tmp_path / "missing" / "chatnode.sqlite3", Storage())


def test_a_store_without_write_ahead_log_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a file of that name is made
    with pytest.raises(StartError, match="journal mode memory"):
        connect_writer(Path(":memory:"), Storage())


def test_a_store_that_does_not_flush_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the reason for which synchronous=FULL does not hold, a node does not start without it."""

    class Relaxed(Reader):
        def execute(self, sql: str, *args: object) -> sqlite3.Cursor:
            return super().execute(sql.replace("synchronous=FULL", "synchronous=NORMAL"), *args)  # type: ignore[arg-type]

    connecting_as(monkeypatch, Relaxed)
    with pytest.raises(StartError):
        connect_writer(tmp_path / "chatnode.sqlite3", Storage())


# ---- failing


async def test_when_commit_fails_its_group_fails_and_nothing_is_published(breakable: Published) -> None:
    await breakable.write(Note(1))
    break_commit(breakable, full_disk(), let_pass=0 if breakable.inline else 1)
    found = await stored(breakable, 2, 3, 4)
    lost = [2] if breakable.inline else [2, 3, 4]  # inline, each write is a group
    assert sorted(number for number, what in found.items() if what == "unavailable") == lost
    kept = [number for number in (1, 2, 3, 4) if number not in lost]
    assert await noted(breakable) == kept
    assert await logged(breakable) == breakable.published_gids == list(range(1, len(kept) + 1))


async def test_after_a_full_disk_writes_are_taken_again(breakable: Published) -> None:
    break_commit(breakable, full_disk())
    with pytest.raises(Refusal, match="unavailable: the disk is full") as caught:
        await breakable.write(Note(1))
    assert caught.value.temporary
    assert caught.value.retry_after
    assert await breakable.write(Note(1)) == 1
    assert breakable.broken is None
    assert await noted(breakable) == breakable.published_gids == [1]


async def test_after_any_other_failure_no_more_writes_are_taken(breakable: Published) -> None:
    """What fsync refused once may be lost without a further error, so it is not tried again."""
    await breakable.write(Note(1))
    break_commit(breakable, sqlite3.OperationalError("disk I/O error"))
    for number in (2, 3, 4):
        with pytest.raises(Refusal, match="unavailable: storage failed; the node must be restarted"):
            await breakable.write(Note(number))
    assert breakable.broken == "storage failed: disk I/O error"
    assert await noted(breakable) == breakable.published_gids == [1], "readers still answer"


async def test_writes_that_wait_behind_a_failed_group_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connecting_as(monkeypatch, Breakable)
    async with opened(path, Storage(group_jobs=1)) as db:
        break_commit(db, sqlite3.OperationalError("disk I/O error"), let_pass=2)
        assert await stored(db, 1, 2, 3, 4) == {1: "stored", 2: "unavailable", 3: "unavailable", 4: "unavailable"}
        assert await noted(db) == db.published_gids == [1]


async def test_a_broken_database_closes_and_opens_again_with_all_that_was_acknowledged(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connecting_as(monkeypatch, Breakable)
    async with opened(path) as db:
        await db.write(Note(1))
        break_commit(db, sqlite3.OperationalError("disk I/O error"))
        with pytest.raises(Refusal):
            await db.write(Note(2))
    async with opened(path) as db:
        assert await db.write(Note(3)) == 2
        assert await noted(db) == [1, 3]


async def test_a_write_that_the_file_system_refuses_breaks_the_storage(path: Path) -> None:
    """Nothing simulated: the kernel fails the write at COMMIT, as the file may not grow (RLIMIT_FSIZE)."""
    async with opened(path) as db:
        await db.write(Note(1))
        size = path.with_name(path.name + "-wal").stat().st_size
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, limits[1]))
        try:
            assert await stored(db, 2, 3) == {2: "unavailable", 3: "unavailable"}
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert db.broken
        assert "disk I/O error" in db.broken
        with pytest.raises(Refusal, match="must be restarted"):
            await db.write(Note(4))
        assert await noted(db) == db.published_gids == [1]
    async with opened(path) as db:
        assert await noted(db) == [1]


@pytest.fixture
async def small(either: Published) -> Published:
    """A database whose file may grow by a few pages only."""

    def limit(tx: Transaction) -> None:
        pages = tx.execute("PRAGMA page_count").fetchone()[0]
        tx.execute(f"PRAGMA max_page_count={pages + 4}")

    await either.write(limit)
    return either


async def give_space(db: Published) -> None:
    await db.write(lambda tx: tx.execute("PRAGMA max_page_count=100000").fetchone())


async def test_a_file_that_cannot_grow_is_a_full_disk(small: Published) -> None:
    """SQLite gives up the whole transaction at the statement that finds no page."""
    await small.write(Note(1))
    with pytest.raises(Refusal, match="unavailable: the disk is full"):
        await small.write(Note(2, "x" * 100_000))
    await small.write(Note(3))
    await give_space(small)
    await small.write(Note(4, "x" * 100_000))
    assert await noted(small) == [1, 3, 4]
    assert await logged(small) == small.published_gids == [1, 2, 3]


async def test_a_statement_of_many_rows_that_finds_no_space_is_a_full_disk(small: Published) -> None:
    """Such a statement is undone alone and the transaction lives on, yet the disk is as full."""

    def fill(tx: Transaction) -> None:
        tx.execute(
            "WITH RECURSIVE many (n) AS (SELECT 10 UNION ALL SELECT n + 1 FROM many LIMIT 100) "
            "INSERT INTO notes SELECT n, hex(zeroblob(1000)) FROM many"
        )

    with pytest.raises(Refusal, match="unavailable: the disk is full"):
        await small.write(fill)
    await give_space(small)
    await small.write(Note(1))
    assert await noted(small) == [1]


async def test_a_write_that_hides_the_full_disk_does_not_stop_the_writer(small: Published) -> None:
    """The transaction is gone, and with it what the neighbours wrote: nobody may be told that it is stored."""

    def hide(tx: Transaction) -> None:
        try:
            tx.execute("INSERT INTO notes VALUES (2, ?)", ("x" * 100_000,))
        except sqlite3.OperationalError:
            raise Refusal("too_large", "this does not fit") from None

    with trio.fail_after(10):
        with pytest.raises(Refusal):
            await small.write(hide)
        await small.write(Note(3))
    assert await noted(small) == [3]
    assert small.published_gids == [1]


FULL_DISK = """
import sqlite3, sys
from pathlib import Path
import trio
from chatnode.errors import Refusal
from tests.storage.harness import Note, logged, make_file, noted, opened, stored

async def main(folder):
    path = make_file(folder / "chatnode.sqlite3")
    async with opened(path) as db:
        await db.write(Note(1))
        ballast = folder / "ballast"
        try:
            with ballast.open("wb", buffering=0) as file:
                while file.write(bytes(4096)):
                    pass
        except OSError as error:
            print("full:", error.strerror)
        try:
            await db.write(Note(2, "x" * 50_000))
        except Refusal as refusal:
            print(refusal)
        print("stored:", await noted(db), "published:", db.published_gids, "broken:", db.broken)
        ballast.unlink()
        await db.write(Note(3, "x" * 50_000))
        print("stored:", await noted(db), "published:", db.published_gids, "log:", await logged(db))

trio.run(main, Path(sys.argv[1]))
"""


def test_a_disk_that_is_really_full_and_then_has_space_again(tmp_path: Path) -> None:
    """On a file system of its own of 4 MiB, in a namespace of its own."""
    mounting = 'mount -t tmpfs -o size=4m tmpfs "$1" && echo mounted && exec "$2" -c "$3" "$1"'
    command = [needs.program("unshare"), "--user", "--map-root-user", "--mount", "sh", "-c", mounting, "sh"]
    ran = subprocess.run(
        [*command, str(tmp_path), sys.executable, FULL_DISK], capture_output=True, text=True, timeout=60, check=False
    )
    if "mounted" not in ran.stdout:
        needs.missing(f"this machine lets nobody mount a file system: {ran.stderr.strip()[-200:]}")
    assert ran.stdout.splitlines() == [
        "mounted",
        "full: No space left on device",
        "unavailable: the disk is full; nothing was stored",
        "stored: [1] published: [1] broken: None",
        "stored: [1, 3] published: [1, 2] log: [1, 2]",
    ], ran.stderr


# ---- closing


async def test_closing_carries_out_what_was_handed_over(path: Path) -> None:
    gate = Gate()
    async with opened(path) as db:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(db.write, gate)
            await gate.reached.wait()
            for number in range(5):
                nursery.start_soon(db.write, Note(number))
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(db.aclose)
            while not db._closing:
                await trio.lowlevel.checkpoint()
            with pytest.raises(Refusal, match="the node is stopping"):
                await db.write(Note(99))
            with pytest.raises(Refusal, match="the node is stopping"):
                await noted(db)
            gate.open()
        assert db.published_gids == [1, 2, 3, 4, 5]
        with pytest.raises(NodeGone, match="the node was closed"):
            await db.write(Note(99))
        db.aclose = trio.lowlevel.checkpoint  # type: ignore[method-assign]  # it is closed
    async with opened(path) as db:
        assert await noted(db) == [0, 1, 2, 3, 4]


async def test_closing_cannot_be_cancelled(path: Path) -> None:
    async with opened(path) as db:
        with trio.CancelScope() as scope:
            scope.cancel()
            await db.aclose()
        db.aclose = trio.lowlevel.checkpoint  # type: ignore[method-assign]
    assert not path.with_name(path.name + "-wal").exists()


async def test_a_closed_database_is_one_file(path: Path) -> None:
    async with opened(path) as db:
        await db.write(Note(1))
        assert path.with_name(path.name + "-wal").stat().st_size > 0
    assert [each.name for each in path.parent.iterdir()] == [path.name]


async def test_only_the_writing_connection_moves_the_log_into_the_file(path: Path) -> None:
    async with opened(path, Storage(checkpoint_pages=1_000_000)) as db:
        await db.write(Note(1))
        checkpoint = "PRAGMA wal_autocheckpoint"
        assert await db.read(lambda reader: reader.execute(checkpoint).fetchone()[0]) == 0
        assert await db.write(lambda tx: tx.execute(checkpoint).fetchone()[0]) == 1_000_000


def test_an_older_sqlite_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 38, 5))
    with pytest.raises(StartError, match=r"chatnode needs 3\.39\.0 or newer"):
        connect_writer(tmp_path / "chatnode.sqlite3", Storage())
    assert not (tmp_path / "chatnode.sqlite3").exists()
