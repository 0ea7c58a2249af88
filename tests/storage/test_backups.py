"""A backup is whole or not there; a restore verifies first, keeps what was, and changes the epoch."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from resource import RLIMIT_FSIZE, getrlimit, setrlimit

import attrs
import pytest

from chatnode.config import Backup, Config, Storage
from chatnode.errors import StartError
from chatnode.model.times import now_ms
from chatnode.node import Node, open_node
from chatnode.services import declared
from chatnode.storage.engine.connection import connect_writer
from chatnode.storage.engine.directory import DataDirectory
from chatnode.storage.engine.migrations import CORE, Migration, core_migrations, initialize, migrate
from chatnode.storage.upkeep import backups, upgrading
from chatnode.storage.upkeep.backups import BackupError, Made
from chatnode.storage.upkeep.restoring import restore, verify
from chatnode.storage.upkeep.rotation import name_at
from chatnode.storage.upkeep.snapshots import copy
from chatnode.testing import User, refused
from tests import needs

SECRET = "correct horse"


def no_files(plugin: str) -> None:
    """Plugins have none here."""


async def lively(node: Node) -> None:
    ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
    talk = await ann.direct(bob)
    for number in range(20):
        await ann.says(talk, f"hello {number} @bob")
    await bob.call("receipts.read", conversation=talk, seq=7)


async def messages_in(data: Path) -> tuple[str, int]:
    """Epoch and number of messages; that all is sound is checked on the way."""
    async with open_node(data) as node:
        assert (await node.call("node.check"))["clean"]
        found = await node.call("node.statistics")
        return found["epoch"], found["messages"]


async def backed_up(data: Path, path: Path, secret: str | None = None) -> Made:
    """A backup of a node that is open meanwhile."""
    async with open_node(data) as node:
        await lively(node)
        made = backups.create(node.directory, path, secret, declared(), no_files)
        cy = await User.new(node, "cy")
        await cy.says(await cy.direct(cy), "too late")
    return made


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def put_back(data: Path, backup: Path, secret: str | None = None) -> Path | None:
    directory = DataDirectory(data)
    directory.claim()
    try:
        return restore(directory, backup, secret, declared(), no_files).kept
    finally:
        directory.release()


@pytest.mark.parametrize("secret", [None, SECRET])
async def test_a_backup_of_an_open_node_is_restored_elsewhere(tmp_path: Path, secret: str | None) -> None:
    made = await backed_up(tmp_path / "data", tmp_path / "b", secret)
    assert made.manifest["counts"]["messages"] == 20
    assert made.manifest["problems"] == {}
    assert put_back(tmp_path / "other", tmp_path / "b", secret) is None
    epoch, messages = await messages_in(tmp_path / "other")
    assert messages == 20
    assert epoch != made.manifest["epoch"]
    assert names_in(tmp_path) == ["b", "data", "other"]
    assert names_in(tmp_path / "data") == ["backup.lock", "chatnode.sqlite3", "lock", "plugins", "signing.keys"]


async def test_what_was_there_is_kept_every_time(tmp_path: Path) -> None:
    data = tmp_path / "data"
    await backed_up(data, tmp_path / "b")
    kept = [put_back(data, tmp_path / "b"), put_back(data, tmp_path / "b")]
    assert kept[0] is not None
    assert kept[1] is not None
    assert kept[0] != kept[1]
    with sqlite3.connect(kept[0] / "chatnode.sqlite3") as connection:
        assert connection.execute("SELECT count(*) FROM messages").fetchone()[0] == 21
    connection.close()
    assert (await messages_in(data))[1] == 20


CREATING = """
import sys
from pathlib import Path
from chatnode.config import Storage
from chatnode.storage.engine.connection import connect_writer
connect_writer(Path(sys.argv[1]), Storage())
print("created")
"""


@pytest.mark.parametrize("call", ["openat", "fdatasync", "rename"])
def test_a_kill_at_the_first_start_leaves_no_empty_database(tmp_path: Path, call: str) -> None:
    """For it would be taken for one that was lost."""
    needs.tracing()
    path, killed = tmp_path / "x.sqlite3", 0
    killing = ["strace", "-f", "-qqq", "-P", str(path), "-P", f"{path}.new", "-P", f"{path}.new-journal"]
    for when in range(1, 20):
        inject = ["-e", f"inject={call}:signal=KILL:when={when}", sys.executable, "-c", CREATING, str(path)]
        done = subprocess.run([*killing, *inject], capture_output=True, text=True, timeout=60, check=False)
        if done.stdout == "created\n":
            break
        killed += 1
        assert not path.exists() or path.stat().st_size
        path.unlink(missing_ok=True)
    assert killed
    assert sorted(each.name for each in tmp_path.iterdir() if not each.name.endswith(("-wal", "-shm"))) == [path.name]


async def test_the_database_of_a_killed_node_is_restored_with_its_log(tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    killed.mkdir()
    async with open_node(tmp_path / "data") as node:
        await lively(node)
        for name in ("chatnode.sqlite3", "chatnode.sqlite3-wal"):  # as a kill would leave them now
            shutil.copy(tmp_path / "data" / name, killed)
    assert verify(killed / "chatnode.sqlite3", None) is None
    (tmp_path / "link").symlink_to(killed / "chatnode.sqlite3")
    put_back(tmp_path / "other", tmp_path / "link")
    assert (await messages_in(tmp_path / "other"))[1] == 20
    put_back(tmp_path / "other", killed / "chatnode.sqlite3")
    assert (await messages_in(tmp_path / "other"))[1] == 20


def test_a_disk_that_is_full_at_the_first_start_leaves_no_empty_database(tmp_path: Path) -> None:
    before = getrlimit(RLIMIT_FSIZE)
    setrlimit(RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(StartError, match="cannot be opened"):
            connect_writer(tmp_path / "x.sqlite3", Storage())
    finally:
        setrlimit(RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


async def test_a_database_in_use_is_restored_as_it_is_at_one_moment(tmp_path: Path) -> None:
    async with open_node(tmp_path / "data") as node:
        await lively(node)
        put_back(tmp_path / "other", tmp_path / "data" / "chatnode.sqlite3")
    assert (await messages_in(tmp_path / "other"))[1] == 20


async def test_a_database_whose_log_is_damaged_is_not_restored_without_it(tmp_path: Path) -> None:
    await messages_in(tmp_path / "data")
    (tmp_path / "data" / "chatnode.sqlite3-journal").write_bytes(b"\xd9\xd5\x05\xf9 \xa1c\xd7" + bytes(4096))
    with pytest.raises(BackupError):
        put_back(tmp_path / "other", tmp_path / "data" / "chatnode.sqlite3")


@pytest.mark.parametrize("secret", [None, SECRET])
async def test_a_damaged_backup_is_refused_and_nothing_is_touched(tmp_path: Path, secret: str | None) -> None:
    data = tmp_path / "data"
    await backed_up(data, tmp_path / "b", secret)
    before = await messages_in(data)
    whole = (tmp_path / "b").read_bytes()
    chosen = random.Random(4)
    for attempt in range(8):
        place = chosen.randrange(len(whole))
        damaged = whole[:place] if attempt % 2 else whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :]
        (tmp_path / "damaged").write_bytes(damaged)
        with pytest.raises(BackupError):
            put_back(data, tmp_path / "damaged", secret)
    assert await messages_in(data) == before
    assert not list(data.glob("before-restore-*"))
    assert not list(data.glob("restor*"))


async def test_a_node_that_runs_is_not_restored_over(tmp_path: Path) -> None:
    await backed_up(tmp_path / "data", tmp_path / "b")
    async with open_node(tmp_path / "data"):
        with pytest.raises(StartError, match="in use by another chatnode"):
            put_back(tmp_path / "data", tmp_path / "b")


async def test_an_interrupted_restore_keeps_the_node_from_starting_on_half_of_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    await backed_up(data, tmp_path / "b")
    (data / "restoring").write_text("as after a kill")
    (data / "chatnode.sqlite3").rename(tmp_path / "moved")
    with pytest.raises(StartError, match="run chatnode restore again"):
        await messages_in(data)
    put_back(data, tmp_path / "b")
    assert (await messages_in(data))[1] == 20


async def test_a_backup_of_a_newer_chatnode_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "data"
    await backed_up(data, tmp_path / "b")
    with sqlite3.connect(data / "chatnode.sqlite3") as connection:
        connection.execute("INSERT INTO migrations VALUES ('core', '9999_later', 0)")
    connection.close()
    backups.create(DataDirectory(data), tmp_path / "newer", None, declared(), no_files)
    with pytest.raises(BackupError, match="newer chatnode"):
        put_back(tmp_path / "other", tmp_path / "newer")


async def test_a_damaged_database_makes_no_backup(tmp_path: Path) -> None:
    data = tmp_path / "data"
    await backed_up(data, tmp_path / "b")
    with (data / "chatnode.sqlite3").open("r+b") as file:
        file.seek(4096 * 5)
        file.write(b"\xff" * 4096 * 3)
    with pytest.raises(BackupError):
        backups.create(DataDirectory(data), tmp_path / "c", None, declared(), no_files)
    assert not (tmp_path / "c").exists()


async def test_a_wrong_count_is_told_and_refused_unless_anyway(tmp_path: Path) -> None:
    data = tmp_path / "data"
    await backed_up(data, tmp_path / "b")
    with sqlite3.connect(data / "chatnode.sqlite3") as connection:
        connection.execute("UPDATE conversations SET head = head + 5")
    connection.close()
    made = backups.create(DataDirectory(data), tmp_path / "c", None, declared(), no_files)
    assert "heads" in made.manifest["problems"]
    with pytest.raises(BackupError, match="--anyway"):
        put_back(tmp_path / "other", tmp_path / "c")
    assert (
        "heads"
        in restore(DataDirectory(tmp_path / "other"), tmp_path / "c", None, declared(), no_files, anyway=True).problems
    )


async def test_a_backup_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    await backed_up(data, tmp_path / "b")

    class Stop(Exception):
        pass

    for stage in ("copying", "checking", "writing", "verifying"):

        def stop(now: str, done: int, total: int, stage: str = stage) -> None:
            if now == stage:
                raise Stop

        with pytest.raises(Stop):
            backups.create(DataDirectory(data), tmp_path / "c", SECRET, declared(), no_files, stop)
        assert names_in(tmp_path) == ["b", "data"]
        assert not [name for name in names_in(data) if name.endswith(".partial")]


async def test_nothing_is_overwritten_and_one_is_made_at_a_time(tmp_path: Path) -> None:
    await backed_up(tmp_path / "data", tmp_path / "b")
    directory = DataDirectory(tmp_path / "data")
    with pytest.raises(BackupError, match="already exists"):
        backups.create(directory, tmp_path / "b", None, declared(), no_files)

    def another(stage: str, done: int, total: int) -> None:
        with pytest.raises(BackupError, match="another backup"):
            backups.rotate(directory, Backup(), None, declared(), no_files)

    backups.create(directory, tmp_path / "c", None, declared(), no_files, another)


async def test_the_node_rotates_its_backups(tmp_path: Path) -> None:
    secret_file = tmp_path / "secret"
    secret_file.write_text(SECRET + "\n")
    settings = Backup(str(tmp_path / "kept"), 6, str(secret_file), keep_daily=1, keep_weekly=0, keep_monthly=0)
    async with open_node(tmp_path / "data", Config(backup=settings)) as node:
        await lively(node)
        (tmp_path / "kept").mkdir()
        old = tmp_path / "kept" / "chatnode-20200101T000000Z.backup"
        old.write_bytes(b"")
        given = await node.call("backup.create")
        assert (given["messages"], given["encrypted"], given["removed"]) == (20, True, [old.name])
        assert (await node.call("jobs.run", job="backup"))["job"]["ok"]
        secret_file.unlink()
        with refused("unavailable"):
            await node.call("backup.create")
        assert not (await node.call("jobs.run", job="backup"))["job"]["ok"]
    kept, owner = names_in(tmp_path / "kept")
    assert owner == "chatnode.owner"
    assert backups.verify(tmp_path / "kept" / kept, SECRET)["counts"]["messages"] == 20


async def test_a_directory_is_for_the_backups_of_one_node(tmp_path: Path) -> None:
    settings = Backup(str(tmp_path / "kept"), keep_daily=1, keep_weekly=0, keep_monthly=0)
    await messages_in(tmp_path / "data")
    data, copy_of_it = DataDirectory(tmp_path / "data"), DataDirectory(tmp_path / "staging")

    def rotate(directory: DataDirectory) -> Path:
        return backups.rotate(directory, settings, None, declared(), no_files).path

    put_back(copy_of_it.path, rotate(data))
    unfinished = tmp_path / "kept" / "chatnode-20260101T000000Z.backup.partial"
    unfinished.touch()
    before = names_in(tmp_path / "kept")
    with pytest.raises(BackupError, match=f"the backups of another node .*:{data.path}"):
        rotate(copy_of_it)
    assert names_in(tmp_path / "kept") == before
    (tmp_path / "kept" / "chatnode.owner").unlink()
    rotate(copy_of_it)
    with pytest.raises(BackupError, match="another node"):
        rotate(data)


async def test_backups_in_the_data_directory_of_another_node_are_its_own(tmp_path: Path) -> None:
    """They have no mark: which node's they are is plain."""
    await messages_in(tmp_path / "data")
    await messages_in(tmp_path / "other")
    daily = Backup(keep_daily=1, keep_weekly=0, keep_monthly=0)
    own = backups.rotate(DataDirectory(tmp_path / "data"), daily, None, declared(), no_files).path
    there = attrs.evolve(daily, directory=str(own.parent))
    with pytest.raises(BackupError, match=rf"another node \({tmp_path / 'data'}\)"):
        backups.rotate(DataDirectory(tmp_path / "other"), there, None, declared(), no_files)
    assert names_in(own.parent) == [own.name]


@pytest.mark.parametrize(
    ("hours", "well"), [(1, True), (-0.5, True), (-87_600, False), (13, False)], ids=["new", "adjusted", "ahead", "old"]
)
async def test_health_tells_of_backups_that_are_old_or_dated_ahead(tmp_path: Path, hours: float, well: bool) -> None:
    async with open_node(tmp_path / "data", Config(backup=Backup(str(tmp_path / "kept"), every_hours=6))) as node:
        (tmp_path / "kept").mkdir()
        (tmp_path / "kept" / name_at(now_ms() - int(hours * 3_600_000))).touch()
        part = (await node.health())[1]["backup"]
    assert (part["status"] == "ok") == well
    assert part.get("age_hours", 0) >= 0
    assert ("ahead of the clock" in part.get("reason", "")) == (hours < -1)


# ---- before a migration


def test_a_database_that_is_not_migrated_yet_is_backed_up_without_false_alarms(tmp_path: Path) -> None:
    """The new version is installed, and somebody makes a backup before its first start."""
    data = DataDirectory(tmp_path / "data")
    data.path.mkdir()
    with closing(connect_writer(data.database, Storage())) as connection:
        migrate(connection, [step for step in core_migrations() if step.name < "0014"])
        initialize(connection)
    made = backups.create(data, tmp_path / "b", None, declared(), no_files)
    assert made.manifest["problems"] == {}
    put_back(tmp_path / "restored", tmp_path / "b")


LATER = Migration(CORE, "9998_later", "CREATE TABLE later (x);")
FAILING = Migration(CORE, "9999_failing", "DELETE FROM messages; INSERT INTO nowhere VALUES (1);")


async def test_an_upgrade_keeps_a_copy_from_before(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path / "data")
    await backed_up(data.path, tmp_path / "b")
    assert upgrading.missing_in(data) == []
    assert not (data.path / "backups").exists()  # nothing to migrate, nothing to copy
    with pytest.raises(StartError, match="9999_failing failed"):
        upgrading.upgrade(data, Config(), [*core_migrations(), LATER, FAILING])
    kept = data.path / "backups" / "before-9998_later.sqlite3"
    with sqlite3.connect(data.database) as connection:
        assert connection.execute("SELECT count(*) FROM messages").fetchone()[0] == 21
    connection.close()
    with pytest.raises(StartError, match="written by a newer chatnode"):
        await messages_in(data.path)
    assert put_back(data.path, kept) is not None
    assert (await messages_in(data.path))[1] == 21


async def test_only_so_many_copies_from_before_are_kept(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path / "data")
    await backed_up(data.path, tmp_path / "b")
    steps = core_migrations()
    for number in range(5):
        steps.append(Migration(CORE, f"999{number}_x", f"CREATE TABLE x{number} (x);"))
        upgrading.upgrade(data, Config(backup=Backup(keep_before_migration=2)), steps)
    assert len(list((data.path / "backups").iterdir())) == 2
    steps.append(Migration(CORE, "9999_y", "CREATE TABLE y (x);"))
    upgrading.upgrade(data, Config(backup=Backup(keep_before_migration=0)), steps)
    assert len(list((data.path / "backups").iterdir())) == 2


async def test_the_copy_just_made_is_kept_whatever_the_others_are_dated(tmp_path: Path) -> None:
    await messages_in(tmp_path / "data")
    data = DataDirectory(tmp_path / "data")
    first = upgrading.copy_before(data, "9998_x", 1)
    os.utime(first, (2**32, 2**32))
    assert [upgrading.copy_before(data, "9999_y", 1)] == list((data.path / "backups").iterdir())


async def test_a_copy_sees_one_moment_while_others_write(tmp_path: Path) -> None:
    async with open_node(tmp_path / "data") as node:
        await lively(node)
        writer = sqlite3.connect(node.directory.database, isolation_level=None)
        wrote = 0

        def write(stage: str, done: int, total: int) -> None:
            nonlocal wrote
            writer.execute("UPDATE people SET name = 'changed'")
            wrote += 1

        copy(node.directory.database, tmp_path / "copy", write)
        writer.close()
    assert wrote
    with sqlite3.connect(tmp_path / "copy") as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM people")}
    connection.close()
    assert len(names) == 1 or "changed" not in names
