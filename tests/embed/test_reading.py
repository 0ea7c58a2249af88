"""`chatnode.embed.reader`: it reads beside whatever has the node open, cannot write, and lets go."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import aiosqlite
import pytest
import trio

from chatnode.embed import StartError, open_node, reader
from chatnode.node import Node
from chatnode.storage.engine.connection import Reader
from chatnode.storage.reading.network import file_system
from chatnode.testing import User
from tests.blackbox.node_process import NodeProcess

from .reading import rows, with_reader

ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT {} FROM n"
MANY = ENDLESS.format("i")


@pytest.fixture
def data(node: Node) -> Path:
    return node.directory.path


async def log_is_cut_off(node: Node) -> bool:
    """Whether the write-ahead log can be cut off now, which any reader prevents that has not let go."""

    def cut_off(connection: Reader) -> bool:
        waits = connection.execute("PRAGMA busy_timeout").fetchone()[0]
        connection.execute("PRAGMA busy_timeout=0")
        busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        connection.execute(f"PRAGMA busy_timeout={waits}")
        return not busy

    return await node.core.db.maintain(cut_off)


# ---- reading


async def test_it_reads_what_was_acknowledged_a_moment_ago(node: Node, data: Path, ann: User) -> None:
    talk = await ann.direct(ann)
    for text in ("one", "two"):
        await ann.says(talk, text)
        assert (await rows(data, "SELECT text FROM v1_messages ORDER BY seq"))[-1] == {"text": text}


@pytest.mark.slow
async def test_it_reads_beside_a_node_that_serves_and_one_that_was_killed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with open_node(data, only=()) as node:
        await node.call("people.create", handle="ann")
    with NodeProcess(data) as process:
        assert await rows(data, "SELECT handle FROM v1_people") == [{"handle": "ann"}]
        process.kill()
        assert await rows(data, "SELECT handle FROM v1_people") == [{"handle": "ann"}]


async def test_it_leaves_nothing_that_keeps_a_node_from_starting(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for handle in ("ann", "bob"):
        async with open_node(data, only=()) as node:
            await node.call("people.create", handle=handle)
        assert (await rows(data, "SELECT max(handle) AS last FROM v1_people"))[0]["last"] == handle


async def test_any_name_of_a_directory_is_taken_as_it_is(tmp_path: Path) -> None:
    name = "a?mode=rw#b%20c d\n'e\udcff"
    async with open_node(tmp_path / name, only=()) as node:
        await node.call("people.create", handle="ann")
    assert await rows(tmp_path / name, "SELECT handle FROM v1_people") == [{"handle": "ann"}]
    assert [each.name for each in tmp_path.iterdir()] == [name]  # noqa: ASYNC240


async def test_rows_are_joined_with_those_of_the_programs_own_database(data: Path, tmp_path: Path, ann: User) -> None:
    own = sqlite3.connect(tmp_path / "app.sqlite3")
    own.executescript("CREATE TABLE customers (chat TEXT, name TEXT); CREATE TABLE people (name TEXT)")
    own.execute("INSERT INTO customers VALUES (?, 'Ann Lee')", (ann.id,))
    own.commit()
    own.close()

    async def join(db: aiosqlite.Connection) -> list[sqlite3.Row]:
        await db.execute("ATTACH ? AS app", (f"file:{tmp_path}/app.sqlite3?mode=ro",))
        sql = "SELECT p.handle, c.name FROM v1_people p JOIN app.customers c ON c.chat = p.id"
        return list(await db.execute_fetchall(sql))

    assert await with_reader(data, join) == [("ann", "Ann Lee")]


# ---- writing


WRITES = (
    "DELETE FROM people", "UPDATE messages SET text = ''", "CREATE TABLE extra (a)", "CREATE TEMP TABLE extra (a)",
    "DROP VIEW v1_people", "INSERT INTO app.own VALUES (1)", "CREATE TABLE app.extra (a)", "VACUUM",
    "PRAGMA user_version = 7", "BEGIN IMMEDIATE",
)  # fmt: skip


async def test_it_cannot_write_neither_here_nor_elsewhere(data: Path, tmp_path: Path, ann: User) -> None:
    own = sqlite3.connect(tmp_path / "app.sqlite3")
    own.execute("CREATE TABLE own (a)")
    own.close()

    async def write(db: aiosqlite.Connection) -> list[str]:
        await db.execute("ATTACH ? AS app", (str(tmp_path / "app.sqlite3"),))
        done: list[str] = []
        for sql in WRITES:
            try:
                await db.execute(sql)
                done.append(sql)
            except sqlite3.OperationalError:
                assert not db.in_transaction
        return done

    assert await with_reader(data, write) == []
    assert await rows(data, "SELECT handle FROM v1_people") == [{"handle": "ann"}]


async def test_what_guards_it_cannot_be_lifted(data: Path, ann: User) -> None:
    async def lift(db: aiosqlite.Connection) -> None:
        for sql in ("PRAGMA query_only=OFF", "pragma main.QUERY_ONLY(0)", "SELECT * FROM pragma_query_only('0')"):
            with pytest.raises(sqlite3.DatabaseError):
                await db.executescript(sql)
        assert await db.execute_fetchall("PRAGMA query_only") == [(1,)]
        with pytest.raises(sqlite3.ProgrammingError, match="time limit"):
            await db.set_progress_handler(lambda: 0, 1_000)
        with pytest.raises(sqlite3.ProgrammingError, match="keeps it from writing"):
            await db.set_authorizer(lambda *_: sqlite3.SQLITE_OK)

    await with_reader(data, lift)


# ---- letting go


async def test_a_statement_that_takes_too_long_is_stopped(node: Node, data: Path, ann: User) -> None:
    async def work(db: aiosqlite.Connection) -> list[sqlite3.Row]:
        with pytest.raises(sqlite3.OperationalError, match=r"stopped after 0\.2 seconds"):
            await db.execute(ENDLESS.format("count(*)"))
        cursor = await db.execute(MANY)
        with pytest.raises(sqlite3.OperationalError, match=r"stopped after 0\.2 seconds"):
            await cursor.fetchall()
        return list(await db.execute_fetchall("SELECT count(*) FROM v1_people"))

    began = time.monotonic()
    assert await with_reader(data, work, seconds=0.2) == [(1,)]
    assert time.monotonic() - began < 10


async def test_rows_that_nobody_fetches_are_let_go(node: Node, data: Path, ann: User) -> None:
    """Else a forgotten cursor would let the write-ahead log grow, and what was erased stay in the file."""
    talk = await ann.direct(ann)
    for text in ("one", "two", "three"):
        await ann.says(talk, text)

    async def work(db: aiosqlite.Connection) -> None:
        cursor = await db.execute("SELECT seq FROM v1_messages")
        assert await cursor.fetchone() == (1,)
        trio.from_thread.run(ann.says, talk, "more")
        assert not trio.from_thread.run(log_is_cut_off, node)
        await asyncio.sleep(0.8)
        assert trio.from_thread.run(log_is_cut_off, node)
        with pytest.raises(sqlite3.OperationalError, match="the statement was stopped after"):
            await cursor.fetchone()
        assert await db.execute_fetchall("SELECT count(*) FROM v1_messages") == [(4,)]

    await with_reader(data, work, seconds=0.4)


async def test_a_transaction_that_stays_open_is_rolled_back(node: Node, data: Path, ann: User) -> None:
    talk = await ann.direct(ann)
    await ann.says(talk, "hello")
    count = "SELECT count(*) FROM v1_messages"

    async def work(db: aiosqlite.Connection) -> None:
        await db.execute("BEGIN")
        assert await db.execute_fetchall(count) == [(1,)]
        trio.from_thread.run(ann.says, talk, "more")
        assert await db.execute_fetchall(count) == [(1,)]  # one snapshot
        assert not trio.from_thread.run(log_is_cut_off, node)
        await asyncio.sleep(0.8)
        assert trio.from_thread.run(log_is_cut_off, node)
        with pytest.raises(sqlite3.OperationalError, match="the transaction was rolled back after"):
            await db.execute_fetchall(count)
        assert await db.execute_fetchall(count) == [(2,)]

    await with_reader(data, work, seconds=0.4)


async def test_all_rows_come_to_whoever_fetches_them_in_time(data: Path) -> None:
    """Also when they are fetched in parts, and the cursor is looked at much later."""

    async def work(db: aiosqlite.Connection) -> list[int]:
        async with db.execute(f"{MANY} LIMIT 1000") as cursor:
            numbers = [number async for (number,) in cursor]
            await asyncio.sleep(0.8)
            assert await cursor.fetchone() is None
        return numbers

    assert await with_reader(data, work, seconds=0.4) == list(range(1, 1001))


async def test_cancelling_a_query_ends_it(data: Path) -> None:
    async def work(db: aiosqlite.Connection) -> None:
        async with asyncio.timeout(0.2):
            await db.execute_fetchall(ENDLESS.format("count(*)"))

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        await with_reader(data, work, seconds=60)
    assert time.monotonic() - began < 10


async def test_an_opening_that_is_cancelled_leaves_nothing_open(data: Path, ann: User) -> None:
    def open_files() -> int:
        places = (os.readlink(each) for each in Path("/proc/self/fd").iterdir() if each.is_symlink())
        return sum(place.startswith(str(data)) for place in places)

    async def cancel_openings(db: aiosqlite.Connection) -> None:
        before = open_files()
        for _ in range(10):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0), reader(data):
                    pytest.fail("it was not cancelled")
        assert open_files() <= before + 1  # SQLite keeps one for the next opening while there are locks on the file

    await with_reader(data, cancel_openings)


FORGETS = """
import asyncio, os, sys
from chatnode.embed import reader

loop = asyncio.new_event_loop()
forgotten, busy = reader(sys.argv[1], seconds=60), reader(sys.argv[1], seconds=60)
idle = loop.run_until_complete(forgotten.__aenter__())
db = loop.run_until_complete(busy.__aenter__())
child = os.fork()
if child == 0:
    try:
        asyncio.run(idle.execute("SELECT 1"))
    except ValueError as error:
        print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
endless = loop.create_task(db.execute_fetchall(sys.argv[2]))
loop.run_until_complete(asyncio.sleep(0.2))
print("ends", flush=True)
"""


async def test_one_that_was_closed_says_so(data: Path) -> None:
    async def main() -> None:
        async with reader(data) as db:
            pass
        with pytest.raises(ValueError, match=r"this reader was closed; open another one with chatnode\.embed\.reader"):
            await db.execute_fetchall("SELECT 1")

    await trio.to_thread.run_sync(asyncio.run, main())


@pytest.mark.slow
async def test_a_program_that_forgets_to_close_it_ends(data: Path) -> None:
    """aiosqlite's own connection would keep it from ending. A child that was forked is told instead of waiting."""
    began = time.monotonic()
    done = await trio.run_process(
        [sys.executable, "-c", FORGETS, data, ENDLESS.format("count(*)")],
        capture_stdout=True, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    first, last, *more = done.stdout.decode().splitlines()
    assert first == "this reader was opened before a fork, and does not work in the new process"
    assert (last, done.returncode) == ("ends", 0), more
    assert time.monotonic() - began < 20


# ---- refusing


async def refusal(data: Path) -> str:
    with pytest.raises(StartError) as raised:
        await rows(data, "SELECT 1")
    return str(raised.value)


async def test_where_there_is_no_node_it_says_so(tmp_path: Path) -> None:
    assert (await refusal(tmp_path / "none")).startswith(f"no node here: {tmp_path}/none has no database")
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240


def change(data: Path, sql: str) -> None:
    connection = sqlite3.connect(data / "chatnode.sqlite3")
    connection.execute(sql)
    connection.commit()
    connection.close()


async def test_tables_of_another_version_are_refused(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with open_node(data, only=()):
        pass
    change(data, "DELETE FROM migrations WHERE name = (SELECT max(name) FROM migrations)")
    assert "older than this program (it lacks core/0" in await refusal(data)
    assert "open the node with this version of chatnode once" in await refusal(data)
    change(data, "INSERT INTO migrations VALUES ('core', '9999_from_the_future', 0)")
    assert "written by a newer chatnode (it has core/9999_from_the_future)" in await refusal(data)


async def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "chatnode.sqlite3").write_bytes(b"no database, but a text " * 100)
    assert await refusal(tmp_path) == f"{tmp_path}/chatnode.sqlite3: cannot be read: file is not a database"
    (tmp_path / "restoring").touch()
    assert "a restore was interrupted here" in await refusal(tmp_path)


MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
35 22 0:31 / /srv rw,relatime shared:9 - nfs4 files:/srv rw,vers=4.2
36 35 0:32 / /srv/our\\040disk rw - xfs /dev/vdb rw
37 22 0:33 / /mnt rw - ext4 /dev/vdc rw
38 22 0:34 / /mnt rw - cifs //files/mnt rw
"""


def test_which_file_system_a_directory_is_on() -> None:
    places = {
        "/var/lib/chat": "ext4", "/srv": "nfs4", "/srv/chat/data": "nfs4", "/srvchat": "ext4",
        "/srv/our disk/chat": "xfs", "/mnt/chat": "cifs",
    }  # fmt: skip
    assert {path: file_system(Path(path), MOUNTS) for path in places} == places


async def test_it_needs_asyncio_and_some_time(data: Path) -> None:
    with pytest.raises(RuntimeError, match="works on asyncio's event loop, and none is running here"):
        async with reader(data):
            pass
    with pytest.raises(ValueError, match="seconds is 0"):
        await with_reader(data, lambda db: db.execute("SELECT 1"), seconds=0)
