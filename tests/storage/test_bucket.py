"""Copies of backups in a bucket: a real HTTP server that speaks S3, and files of a plugin."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from moto.server import ThreadedMotoServer  # pyright: ignore[reportMissingTypeStubs]

from chatnode.config import Backup, Bucket, Config
from chatnode.node import Node, open_node
from chatnode.storage.engine.directory import DataDirectory
from chatnode.storage.upkeep import backups, bucket_copies, restoring
from chatnode.storage.upkeep.bucket import BucketClient
from chatnode.storage.upkeep.sealing import BackupError
from tests.cli.command import chatnode
from tests.plugins import keeper
from tests.storage.test_stored_files import contents, put_back

pytestmark = pytest.mark.usefixtures("quick_keys")

SECRET_KEY = "correct-horse-battery"


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    """The URL of a service."""
    server: Any = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(service: str, request: pytest.FixtureRequest) -> Bucket:
    """A bucket of the test's own."""
    name = f"b{abs(hash(request.node.nodeid))}"
    settings = Bucket(
        name=name, endpoint=service, region="us-east-1", prefix="node/", access_key="me", secret_key=SECRET_KEY
    )
    client(settings).create_bucket(Bucket=name)
    return settings


def client(bucket: Bucket) -> Any:
    return BucketClient(bucket)._client  # pyright: ignore[reportPrivateUsage]


def names(bucket: Bucket) -> dict[str, Any]:
    """What is in the bucket, with the times at which it was sent."""
    found = client(bucket).list_objects_v2(Bucket=bucket.name).get("Contents", ())
    return {each["Key"]: each["LastModified"] for each in found}


def backups_in(bucket: Bucket) -> list[str]:
    return sorted(name.rpartition("/")[2] for name in names(bucket) if name.endswith(".backup"))


@attrs.define
class Kept:
    """A node and its bucket; each backup is made a day after the last one."""

    path: Path
    bucket: Bucket
    backup: Backup
    now: int = 1_700_000_000_000

    @property
    def config(self) -> Config:
        return Config(backup=self.backup, bucket=self.bucket)

    def open(self) -> Any:
        return open_node(self.path / "data", self.config, only=[keeper])

    async def copied(self, node: Node, days: int = 1) -> dict[str, Any]:
        """Make a backup and copy it; the job's outcome."""
        self.now += days * 86_400_000
        await node.call("backup.create")
        return (await node.call("jobs.run", job="bucket"))["job"]


@pytest.fixture
def kept(tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Kept:
    (tmp_path / "passphrase").write_text("open sesame")
    settings = Backup(
        directory=str(tmp_path / "b"), passphrase_file=str(tmp_path / "passphrase"), keep_daily=2, keep_weekly=0,
        keep_monthly=0,
    )  # fmt: skip
    kept = Kept(tmp_path, bucket, settings)
    monkeypatch.setattr(backups, "now_ms", lambda: kept.now)
    return kept


def fetched(kept: Kept, name: str, directory: Path) -> Path:
    return bucket_copies.fetch(kept.bucket, name, directory, "open sesame")


@pytest.mark.parametrize("encrypted", [True, False])
async def test_a_backup_is_copied_fetched_and_restored_with_its_files(kept: Kept, encrypted: bool) -> None:
    if not encrypted:
        kept.backup = attrs.evolve(kept.backup, passphrase_file="")
    async with kept.open() as node:
        await node.call("keeper.keep", content="one")
        await node.call("keeper.keep", content="big" * 1_000_000)
        done = await kept.copied(node)
    assert done["ok"], done
    assert done["result"].startswith("1 backup and 2 files copied")
    (name,) = bucket_copies.available(kept.bucket)
    path = bucket_copies.fetch(kept.bucket, name, kept.path / "fetched", "open sesame" if encrypted else None)
    secret = "open sesame" if encrypted else None
    assert restoring.verify(path, secret) is not None
    put_back(kept.path / "other", path, secret)
    assert contents(kept.path / "other") == ["big" * 1_000_000, "one"]
    here = {str(each.relative_to(kept.path / "b")) for each in (kept.path / "b").rglob("*") if each.is_file()}
    assert {each.removeprefix("node/") for each in names(kept.bucket)} == here


async def test_a_bucket_is_for_the_backups_of_one_node(kept: Kept, tmp_path: Path) -> None:
    async with kept.open() as node:
        assert (await kept.copied(node))["ok"]
    other = Kept(tmp_path / "other", kept.bucket, attrs.evolve(kept.backup, directory=""))
    before = names(kept.bucket)
    async with other.open() as node:
        done = await kept.copied(node)
    assert not done["ok"]
    assert "the backups of another node" in done["result"]
    assert names(kept.bucket) == before


async def test_what_is_there_is_not_sent_again(kept: Kept) -> None:
    async with kept.open() as node:
        await node.call("keeper.keep", content="one")
        await kept.copied(node)
        before = names(kept.bucket)
        await node.call("keeper.keep", content="two")
        assert (await kept.copied(node))["result"].startswith("1 backup and 1 file copied")
        assert (await node.call("jobs.run", job="bucket"))["job"]["result"] == ""
    assert before.items() <= names(kept.bucket).items()


async def test_old_backups_and_their_files_are_deleted_from_the_bucket(kept: Kept) -> None:
    async with kept.open() as node:
        name = (await node.call("keeper.keep", content="one"))["name"]
        await kept.copied(node)
        await node.call("keeper.forget", name=name)
        await node.call("keeper.keep", content="two")
        await kept.copied(node)
        first = set(names(kept.bucket))
        assert len([each for each in first if "/files/" in each and not each.endswith("key.json")]) == 2
        assert "1 old backup removed" in (await kept.copied(node))["result"]
        left = names(kept.bucket)
        assert len([each for each in left if "/files/" in each and not each.endswith("key.json")]) == 1
    for name in bucket_copies.available(kept.bucket):
        restoring.verify(fetched(kept, name, kept.path / "fetched"), "open sesame")


async def test_an_empty_backup_directory_deletes_nothing_from_the_bucket(kept: Kept) -> None:
    """As when its disk is not mounted."""
    kept.backup = attrs.evolve(kept.backup, keep_daily=10)
    async with kept.open() as node:
        await node.call("keeper.keep", content="one")
        await kept.copied(node)
        await kept.copied(node)
        (kept.path / "b").rename(kept.path / "unmounted")
        await kept.copied(node)
    assert len(backups_in(kept.bucket)) == 3
    for name in backups_in(kept.bucket):
        restoring.verify(fetched(kept, name, kept.path / "fetched"), "open sesame")


async def test_if_it_may_not_delete_the_bucket_grows(kept: Kept) -> None:
    kept.bucket = attrs.evolve(kept.bucket, delete=False)
    async with kept.open() as node:
        for _ in range(4):
            await kept.copied(node)
    assert len(backups_in(kept.bucket)) == 4
    assert len(list((kept.path / "b").glob("*.backup"))) == 2


async def test_only_the_first_of_each_month(kept: Kept) -> None:
    kept.bucket = attrs.evolve(kept.bucket, which="monthly")
    kept.backup = attrs.evolve(kept.backup, keep_daily=100)
    async with kept.open() as node:
        for _ in range(6):
            await kept.copied(node, days=10)
    times = [name[9:15] for name in backups_in(kept.bucket)]
    assert times == ["202311", "202312", "202401"]


async def test_a_failure_is_visible_and_retried_and_the_backup_is_there(kept: Kept) -> None:
    bucket, kept.bucket = kept.bucket, attrs.evolve(kept.bucket, name="no-such-bucket-here")
    async with kept.open() as node:
        done = await kept.copied(node)
        assert not done["ok"]
        assert "NoSuchBucket" in done["result"]
        assert len(list((kept.path / "b").glob("*.backup"))) == 1
        well, parts = await node.health()
        assert not well
        assert "bucket" in parts["jobs"]["reason"]
        assert SECRET_KEY not in str(parts) + str(done)
    kept.bucket = bucket
    async with kept.open() as node:
        assert (await node.call("jobs.run", job="bucket"))["job"]["ok"]
    assert len(backups_in(kept.bucket)) == 1


async def test_a_service_that_does_not_answer_is_a_failure(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.bucket = attrs.evolve(kept.bucket, endpoint="http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    async with kept.open() as node:
        done = await kept.copied(node)
    assert not done["ok"]
    assert "127.0.0.1:9" in done["result"]


async def test_a_copy_that_breaks_off_is_completed_and_is_no_backup_until_then(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    send, left = BucketClient.send, [3]  # the mark of its owner, and two files

    def breaks_off(self: BucketClient, path: Path, name: str) -> int:
        if not left[0]:
            raise BackupError("the line is dead")
        left[0] -= 1
        return send(self, path, name)

    async with kept.open() as node:
        for content in ("one", "two", "three"):
            await node.call("keeper.keep", content=content)
        monkeypatch.setattr(BucketClient, "send", breaks_off)
        assert not (await kept.copied(node))["ok"]
        assert backups_in(kept.bucket) == []
        monkeypatch.undo()
        done = (await node.call("jobs.run", job="bucket"))["job"]
    assert done["result"].startswith("1 backup and 1 file copied")
    (name,) = backups_in(kept.bucket)
    restoring.verify(fetched(kept, name, kept.path / "fetched"), "open sesame")


async def test_two_copies_at_a_time_are_refused(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    sending, goes_on = trio.Event(), trio.Event()
    send = BucketClient.send

    def slow(self: BucketClient, path: Path, name: str) -> int:
        trio.from_thread.run_sync(sending.set)
        trio.from_thread.run(goes_on.wait)
        return send(self, path, name)

    monkeypatch.setattr(BucketClient, "send", slow)
    data = DataDirectory(kept.path / "data")
    async with kept.open() as node, trio.open_nursery() as nursery:
        kept.now += 1
        await node.call("backup.create")
        nursery.start_soon(lambda: node.call("jobs.run", job="bucket"))
        await sending.wait()
        with pytest.raises(BackupError, match="wait until that ends"):
            bucket_copies.copy_out(data, kept.path / "b", kept.bucket, kept.backup, "open sesame")
        goes_on.set()
    assert len(backups_in(kept.bucket)) == 1


async def test_keys_are_in_no_log(kept: Kept, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    kept.bucket = attrs.evolve(kept.bucket, name="missing")
    async with kept.open() as node:
        await kept.copied(node)
    assert "chatnode.jobs" in {record.name for record in caplog.records}
    own = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("chatnode"))
    assert SECRET_KEY not in own
    assert SECRET_KEY not in f"{kept.config}"


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(BackupError, match=r"run pip install 'chatnode\[s3\]'"):
        BucketClient(Bucket(name="b"))


def test_boto3_is_imported_for_a_bucket_only() -> None:
    code = (
        "import sys; import chatnode.services.backups, chatnode.storage.upkeep.bucket_copies; "
        "print('boto3' in sys.modules or 'botocore' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_from_the_command_line(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    data, bucket = kept.path / "data", kept.bucket
    assert chatnode(data, "fetch").err.startswith("chatnode: no bucket is set")
    for key in ("name", "endpoint", "region", "prefix", "access_key", "secret_key"):
        monkeypatch.setenv(f"CHATNODE_BUCKET__{key.upper()}", getattr(bucket, key))
    monkeypatch.setenv("CHATNODE_BACKUP__DIRECTORY", kept.backup.directory)
    assert chatnode(data, "user", "add", "ann", "--no-password").status == 0
    done = chatnode(data, "backup", "--rotate")
    assert (done.status, f"copied 1 backup and 0 files to the bucket {bucket.name}" in done.out) == (0, True)
    (name,) = chatnode(data, "fetch").out.split()
    done = chatnode(kept.path / "new", "fetch", str(kept.path / "fetched"))
    assert (done.status, "1 person" in done.out) == (0, True), done.err
    done = chatnode(kept.path / "new", "restore", str(kept.path / "fetched" / name))
    assert done.status == 0
    done = chatnode(data, "fetch", str(kept.path / "fetched"), "chatnode-x.backup")
    assert (done.status, "has no backup chatnode-x.backup" in done.err) == (1, True)
