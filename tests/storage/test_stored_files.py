"""Files of plugins in backups and restores: with real files, hard links, passphrases, damage and interruptions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.lowlevel

from chatnode.config import Backup, Config
from chatnode.hooks.discovery import Installed
from chatnode.hooks.files import find_lister
from chatnode.node import Node, open_node
from chatnode.services import declared
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.directory import DataDirectory
from chatnode.storage.engine.stored_files import FindLister, Lister, StoredFile
from chatnode.storage.upkeep import backups, collecting, file_lists, restoring, restoring_files
from chatnode.storage.upkeep.backups import BackupError, Made
from chatnode.storage.upkeep.restoring import Restored, restore
from tests.plugins import keeper
from tests.plugins.surface.making import made

pytestmark = pytest.mark.usefixtures("quick_keys")

SECRET = "correct horse"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def keeping(data: Path, config: Config | None = None) -> Any:
    return open_node(data, config or Config(), only=[keeper])


def find(name: str) -> Lister | None:
    """As the command line finds it: no plugin runs."""
    return find_lister({}, {"keeper": Installed("keeper", "", "", lambda: keeper)}, name)


def backed_up(data: Path, path: Path, secret: str | None = None, find: FindLister | None = find) -> Made:
    return backups.create(DataDirectory(data), path, secret, declared(), find)


def put_back(data: Path, backup: Path, secret: str | None = None, *, anyway: bool = False) -> Restored:
    directory = DataDirectory(data)
    directory.claim()
    try:
        return restore(directory, backup, secret, declared(), find, anyway=anyway)
    finally:
        directory.release()


async def kept(node: Node, *contents: str) -> list[str]:
    return [(await node.call("keeper.keep", content=content))["name"] for content in contents]


async def problems(node: Node, *, deep: bool = False) -> dict[str, list[str]]:
    checked = await node.call("node.check", deep=deep)
    return {each["name"]: each["problems"] for each in checked["checks"] if each["problems"]}


def listed(reader: Reader) -> list[StoredFile]:
    return [*keeper.stored_files(reader)]


def contents(data: Path) -> list[str]:
    return sorted(path.read_text() for path in (data / "plugins" / "keeper").rglob("*") if path.is_file())


def pooled(directory: Path) -> list[Path]:
    return sorted(path for path in (directory / "files").glob("*/??/*"))


@pytest.mark.parametrize("secret", [None, SECRET])
async def test_files_are_restored_elsewhere_with_the_database(data: Path, tmp_path: Path, secret: str | None) -> None:
    (tmp_path / "b").mkdir()
    async with keeping(data) as node:
        await kept(node, "one", "two" * 1_000_000, "")
        done = backed_up(data, tmp_path / "b" / "x", secret)
        await kept(node, "too late")
    assert done.manifest["problems"] == {}
    assert done.manifest["files"] == {"count": 3, "bytes": 3_000_003, "added": 3}
    put = put_back(tmp_path / "other", tmp_path / "b" / "x", secret)
    assert (put.files.put, put.files.there, put.files.missing) == (3, 0, {})
    assert contents(tmp_path / "other") == ["", "one", "two" * 1_000_000]
    async with keeping(tmp_path / "other") as node:
        assert await problems(node, deep=True) == {}
    for path in (tmp_path / "b").rglob("*"):
        if path.is_dir() or secret is not None:  # a link has the mode that the plugin gave the file
            assert path.stat().st_mode & 0o077 == 0
        if secret is not None and path.is_file():
            assert b"twotwo" not in path.read_bytes()


async def test_without_a_passphrase_the_pool_takes_up_no_space(data: Path, tmp_path: Path) -> None:
    async with keeping(data) as node:
        names = await kept(node, "one")
    backed_up(data, tmp_path / "x")
    (linked,) = pooled(tmp_path)
    assert linked.samefile(data / "plugins" / "keeper" / names[0])
    (data / "plugins" / "keeper" / names[0]).unlink()
    put = put_back(data, tmp_path / "x")
    assert put.files.put == 1
    assert not linked.samefile(data / "plugins" / "keeper" / names[0])  # what is restored is not shared


async def test_where_there_are_no_links_it_holds_copies(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    async with keeping(data) as node:
        names = await kept(node, "one")
    backed_up(data, tmp_path / "x")
    (copied,) = pooled(tmp_path)
    assert copied.read_text() == "one"
    assert not copied.samefile(data / "plugins" / "keeper" / names[0])
    assert copied.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("secret", [None, SECRET])
async def test_backups_share_what_is_equal_and_rotation_drops_what_none_lists(
    data: Path, tmp_path: Path, secret: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = DataDirectory(data)
    settings = Backup(directory=str(tmp_path / "b"), keep_daily=2, keep_weekly=0, keep_monthly=0)
    day = 86_400_000
    times = iter(range(1_700_000_000_000, 1_800_000_000_000, day))

    def rotated() -> Made:
        now = next(times)
        monkeypatch.setattr(backups, "now_ms", lambda: now)
        return backups.rotate(directory, settings, secret, declared(), find)

    async with keeping(data) as node:
        one, same, two = await kept(node, "one", "one", "two")
        assert rotated().manifest["files"] == {"count": 3, "bytes": 9, "added": 2}
        assert len(pooled(tmp_path / "b")) == 2
        await node.call("keeper.forget", name=one)
        await node.call("keeper.forget", name=two)
        await kept(node, "three")
        assert rotated().manifest["files"] == {"count": 2, "bytes": 8, "added": 1}
        assert len(pooled(tmp_path / "b")) == 3
        await node.call("keeper.forget", name=same)
        assert len(rotated().removed) == 1  # the first one, which alone listed `two`
        assert len(pooled(tmp_path / "b")) == 2
        assert len(rotated().removed) == 1
        assert len(pooled(tmp_path / "b")) == 1
    for backup in (tmp_path / "b").glob("*.backup"):
        restoring.verify(backup, secret)
    assert {path.name for path in (tmp_path / "b").iterdir()} == {
        "chatnode.owner", "files",
        *(name for each in (tmp_path / "b").glob("*.backup") for name in (each.name, f"{each.name}.files")),
    }  # fmt: skip


async def test_a_pool_of_another_passphrase_stays_until_its_last_backup_goes(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Backup(directory=str(tmp_path / "b"), keep_daily=2, keep_weekly=0, keep_monthly=0)
    now = [1_700_000_000_000]
    monkeypatch.setattr(backups, "now_ms", lambda: now[0])

    def rotated(secret: str | None) -> Made:
        now[0] += 86_400_000
        return backups.rotate(DataDirectory(data), settings, secret, declared(), find)

    async with keeping(data) as node:
        await kept(node, "one")
        first = rotated("old")
        rotated("new")
        assert len(pooled(tmp_path / "b")) == 2
        restoring.verify(first.path, "old")
        assert rotated(None).removed == [first.path.name]
        assert len(pooled(tmp_path / "b")) == 2  # of "new", and plain
        rotated(None)
        assert [path.parent.parent.name for path in pooled(tmp_path / "b")] == ["plain"]


@pytest.mark.parametrize("secret", [None, SECRET])
async def test_damage_to_the_pool_or_the_list_is_found(data: Path, tmp_path: Path, secret: str | None) -> None:
    async with keeping(data) as node:
        await kept(node, "one", "two")
    backed_up(data, tmp_path / "x", secret)
    assert restoring.verify(tmp_path / "x", secret) is not None
    for damaged in (pooled(tmp_path)[0], tmp_path / "x.files"):
        whole = damaged.read_bytes()
        for changed in (whole[:-1] + bytes([whole[-1] ^ 1]), whole[:-1], None):
            damaged.unlink()  # the pool's file may be a link to the node's own
            if changed is not None:
                damaged.write_bytes(changed)
            with pytest.raises(BackupError):
                restoring.verify(tmp_path / "x", secret)
            with pytest.raises(BackupError):
                put_back(tmp_path / "other", tmp_path / "x", secret)
            assert not (tmp_path / "other" / "chatnode.sqlite3").exists()
        damaged.unlink(missing_ok=True)
        damaged.write_bytes(whole)
    put_back(tmp_path / "other", tmp_path / "x", secret)
    assert contents(tmp_path / "other") == ["one", "two"]


async def test_only_what_is_missing_or_damaged_is_put_back(data: Path, tmp_path: Path) -> None:
    async with keeping(data) as node:
        names = await kept(node, "one", "two", "six")
    paths = [data / "plugins" / "keeper" / name for name in names]
    backed_up(data, tmp_path / "x", SECRET)
    inode = paths[0].stat().st_ino
    paths[1].unlink()
    paths[2].write_text("SIX")  # same size
    put = put_back(data, tmp_path / "x", SECRET)
    assert (put.files.there, put.files.put) == (1, 2)
    assert paths[0].stat().st_ino == inode
    assert [path.read_text() for path in paths] == ["one", "two", "six"]


async def test_a_file_that_cannot_be_restored_is_refused_and_anyway_told_to_the_plugin(
    data: Path, tmp_path: Path
) -> None:
    async with keeping(data) as node:
        names = await kept(node, "one", "two")
    backed_up(data, tmp_path / "x")
    (tmp_path / "files" / "plain").rename(tmp_path / "files" / "gone")
    other = tmp_path / "other"
    with pytest.raises(BackupError, match=r"files of plugins would be missing: keeper: blobs/.* with --anyway"):
        put_back(other, tmp_path / "x")
    assert not (other / "chatnode.sqlite3").exists()
    done = put_back(other, tmp_path / "x", anyway=True)
    assert done.files.missing == {"keeper": names}
    for _ in range(2):  # told once
        async with keeping(other) as node:
            assert await problems(node) == {}
            assert await node.core.db.read(listed) == []


async def test_a_plugin_that_fails_when_it_is_told_is_told_again(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with keeping(data) as node:
        await kept(node, "one")
    backed_up(data, tmp_path / "x")
    told: list[Sequence[str]] = []

    def after_restore(tx: Any, note: Any) -> None:
        told.append(note.missing)
        if len(told) == 1:
            raise RuntimeError("not today")

    put_back(data, tmp_path / "x")
    plugin = made("keeper", **{**keeper.DECLARED, "after_restore": after_restore, "version": "1.0"})
    for _ in range(3):
        async with open_node(data, Config(), only=[plugin]):
            pass
    assert told == [(), ()]
    assert "the plugin keeper: after_restore" in caplog.text


async def test_a_restore_ends_signed_links(data: Path, tmp_path: Path) -> None:
    async with keeping(data) as node:
        link = node.plugins.loaded["keeper"].context.sign("download", "one", seconds=60)
    backed_up(data, tmp_path / "x")
    assert b"secret" in (data / "signing.keys").read_bytes()
    put_back(data, tmp_path / "x")
    async with keeping(data) as node:
        assert not node.plugins.loaded["keeper"].context.verify(link, "download", "one")


async def test_what_is_missing_when_the_backup_is_made_is_named_and_the_rest_is_kept(
    data: Path, tmp_path: Path
) -> None:
    config = Config(backup=Backup(directory=str(tmp_path / "b")))
    async with keeping(data, config) as node:
        gone, damaged, _ = await kept(node, "one", "two", "three")
        (data / "plugins" / "keeper" / gone).unlink()
        (data / "plugins" / "keeper" / damaged).write_text("TWO")
        assert (await problems(node))["files of keeper"] == [f"{gone}: is missing"]
        assert (await problems(node, deep=True))["files of keeper"] == [
            f"{gone}: is missing",
            f"{damaged}: is damaged: its hash differs",
        ]
        job = (await node.call("jobs.run", job="backup"))["job"]
        assert not job["ok"]
        assert f"was made, but checks of it failed (files of keeper: {gone} is missing)" in job["result"]
    (backup,) = (tmp_path / "b").glob("*.backup")
    done = put_back(tmp_path / "other", backup)  # what was missing then is no reason to refuse
    assert done.files.missing == {"keeper": [gone, damaged]}
    assert contents(tmp_path / "other") == ["three"]


async def test_files_of_a_plugin_that_does_not_run_are_in_backups(data: Path, tmp_path: Path) -> None:
    config = Config(backup=Backup(directory=str(tmp_path / "b")))
    async with keeping(data, config) as node:
        await kept(node, "one")
        await node.call("plugins.disable", plugin="keeper")
    async with keeping(data, config) as node:
        assert "keeper" not in node.plugins.loaded
        reply = await node.call("backup.create")
        assert (reply["files"], reply["file_bytes"], reply["problems"]) == (1, 3, 0)
    (backup,) = (tmp_path / "b").glob("*.backup")
    put_back(tmp_path / "other", backup)
    assert contents(tmp_path / "other") == ["one"]


async def test_files_of_a_plugin_that_is_not_installed_are_named(data: Path, tmp_path: Path) -> None:
    async with keeping(data) as node:
        await kept(node, "one")
    config = Config(backup=Backup(directory=str(tmp_path / "b")))
    async with open_node(data, config, only=[]) as node:
        assert (await node.call("backup.create"))["problems"] == 1
        job = (await node.call("jobs.run", job="backup"))["job"]
        told = "files of keeper: they are not in the backup, because the plugin cannot list them: it is not installed"
        assert told in job["result"]


async def test_a_list_that_fails_is_a_problem_and_the_database_is_backed_up(data: Path, tmp_path: Path) -> None:
    async with keeping(data) as node:
        await kept(node, "one")

    def fails(reader: Any) -> Any:
        yield from keeper.stored_files(reader)
        raise RuntimeError("bug")

    done = backed_up(data, tmp_path / "x", find=lambda name: fails)
    assert done.manifest["files"]["count"] == 1
    assert done.manifest["problems"] == {
        "files of keeper": ["not all are in the backup, because listing them raised RuntimeError"],
    }


async def test_without_files_in_backups_what_is_on_the_disk_counts(data: Path, tmp_path: Path) -> None:
    config = Config(backup=Backup(directory=str(tmp_path / "b"), files=False))
    async with keeping(data, config) as node:
        names = await kept(node, "one", "two")
        await node.call("backup.create")
    (backup,) = (tmp_path / "b").glob("*.backup")
    (data / "plugins" / "keeper" / names[0]).unlink()
    with pytest.raises(BackupError, match="is in no backup"):
        put_back(data, backup)
    assert put_back(data, backup, anyway=True).files.missing == {"keeper": names[:1]}


async def test_a_plain_copy_of_the_database_is_restored_with_the_files_that_are_there(
    data: Path, tmp_path: Path
) -> None:
    from chatnode.storage.upkeep.snapshots import copy

    async with keeping(data) as node:
        await kept(node, "one")
    copy(data / "chatnode.sqlite3", tmp_path / "before.sqlite3")
    assert put_back(data, tmp_path / "before.sqlite3").files.there == 1


async def test_files_are_not_deleted_under_a_backup(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is deleted, with its row, after the database was copied and before its files are taken."""
    copied, forgotten = trio.Event(), trio.Event()
    original = backups.copy

    def copy(*arguments: Any) -> None:
        original(*arguments)
        trio.from_thread.run_sync(copied.set)
        trio.from_thread.run(forgotten.wait)

    monkeypatch.setattr(backups, "copy", copy)
    config = Config(backup=Backup(directory=str(tmp_path / "b")))
    async with keeping(data, config) as node, trio.open_nursery() as nursery:
        (name,) = await kept(node, "one")
        nursery.start_soon(node.call, "backup.create")
        await copied.wait()
        assert (await node.call("keeper.forget", name=name))["files"] == 0  # later
        forgotten.set()
    (backup,) = (tmp_path / "b").glob("*.backup")
    put_back(tmp_path / "other", backup)
    assert contents(tmp_path / "other") == ["one"]
    async with keeping(data) as node:
        assert (await node.call("keeper.collect"))["files"] == 1
        assert contents(data) == []


async def test_asking_whether_a_backup_runs_does_not_stop_one(data: Path, tmp_path: Path) -> None:
    async with keeping(data) as node:
        await kept(node, "one")
        ctx, asked = node.plugins.loaded["keeper"].context, 0
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                nonlocal asked
                while True:
                    asked += 1
                    ctx.backup_running()
                    await trio.lowlevel.checkpoint()

            nursery.start_soon(ask)
            for _ in range(5):
                await trio.to_thread.run_sync(backed_up, data, tmp_path / str(asked))
            nursery.cancel_scope.cancel()


async def test_a_full_disk_fails_the_backup_and_leaves_nothing_half_done(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with keeping(data) as node:
        await kept(node, "one", "two")
    (tmp_path / "b").mkdir()
    rename, times = Path.replace, iter([True, False])

    def full(path: Path, target: Path) -> Path:
        if next(times):
            return rename(path, target)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(BackupError, match="No space left on device"):
        backed_up(data, tmp_path / "b" / "x", SECRET)
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["files"]
    assert not [path for path in pooled(tmp_path / "b") if path.name.endswith(".partial")]
    monkeypatch.undo()
    assert backed_up(data, tmp_path / "b" / "x", SECRET).manifest["files"]["added"] == 1


async def test_a_restore_that_fails_leaves_the_node_as_it_was(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with keeping(data) as node:
        await kept(node, "one")
        backed_up(data, tmp_path / "x", SECRET)
        (late,) = await kept(node, "late")
        epoch = node.core.epoch
    for path in (data / "plugins" / "keeper").rglob("*"):
        if path.is_file() and path.read_text() == "one":
            path.unlink()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(restoring_files, "_write", full)
    with pytest.raises(BackupError, match="No space left"):
        put_back(data, tmp_path / "x", SECRET)
    monkeypatch.undo()
    async with keeping(data) as node:
        assert node.core.epoch == epoch
        assert len((await problems(node))["files of keeper"]) == 1  # as before
    put_back(data, tmp_path / "x", SECRET)
    assert contents(data) == ["late", "one"]
    async with keeping(data) as node:
        assert await problems(node) == {"plugin keeper": [f"{late} belongs to no row"]}
        repaired = await node.call("node.repair")
        assert {"name": "keeper.strays", "rows": 1} in repaired["repairs"]
        assert repaired["clean"]


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", "./a", "a\0b"])
def test_a_file_cannot_be_outside_of_its_plugins_directory(name: str) -> None:
    with pytest.raises(ValueError, match="is not a path below the plugin's directory"):
        StoredFile(name, 1, bytes(32))


def test_a_digest_in_hexadecimal_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="give the digest itself"):
        StoredFile("a", 1, b"00" * 32)


async def test_the_pool_does_not_follow_links(data: Path, tmp_path: Path) -> None:
    (tmp_path / "shadow").write_text("one")
    async with keeping(data) as node:
        (name,) = await kept(node, "one")
        (data / "plugins" / "keeper" / name).unlink()
        (data / "plugins" / "keeper" / name).symlink_to(tmp_path / "shadow")
    made = backed_up(data, tmp_path / "x")
    assert "cannot be read" in made.manifest["problems"]["files of keeper"][0]


def test_a_list_can_be_read_only_whole(tmp_path: Path) -> None:
    (tmp_path / "x.files").write_bytes(b"chatnode-backup 1\n{}\n")
    with pytest.raises(BackupError):
        list(file_lists.read(tmp_path / "x.files", None))


def test_nothing_is_pruned_while_a_list_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "files" / "plain" / "ab").mkdir(parents=True)
    (tmp_path / "files" / "plain" / "ab" / "abcd").write_text("x")
    (tmp_path / "chatnode-20261121T154500Z.backup.files").write_bytes(b"damaged")
    assert collecting.prune(tmp_path, None) == 0
    assert len(pooled(tmp_path)) == 1
    (tmp_path / "chatnode-20261121T154500Z.backup.files").unlink()
    assert collecting.prune(tmp_path, None) == 1
    assert pooled(tmp_path) == []
