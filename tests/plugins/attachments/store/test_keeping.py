"""The store in backups, restores, checks, repairs and receipts of erasures."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import chatnode_attachments

from chatnode.config import Config
from chatnode.hooks.discovery import Installed
from chatnode.hooks.files import find_lister
from chatnode.node import Node, open_node
from chatnode.services import declared
from chatnode.storage.engine.directory import DataDirectory
from chatnode.storage.engine.stored_files import Lister
from chatnode.storage.upkeep import backups
from chatnode.storage.upkeep.restoring import restore
from chatnode.testing import User, refused
from tests.plugins.attachments.store.storing import PLUGINS, Uploader, rows


def find(name: str) -> Lister | None:
    found = Installed("attachments", "", "", lambda: chatnode_attachments)
    return find_lister({}, {"attachments": found}, name)


def back_up(data: Path, path: Path) -> None:
    backups.create(DataDirectory(data), path, None, declared(), find)


def put_back(data: Path, backup: Path) -> None:
    directory = DataDirectory(data)
    directory.claim()
    try:
        restore(directory, backup, None, declared(), find, anyway=True)
    finally:
        directory.release()


async def problems(node: Node) -> list[str]:
    checked = await node.call("node.check", deep=True)
    return [line for each in checked["checks"] for line in each["problems"]]


async def test_files_are_in_backups_and_uploads_in_progress_are_not(tmp_path: Path) -> None:
    data, backup, other = tmp_path / "data", tmp_path / "b" / "x", tmp_path / "other"
    backup.parent.mkdir()
    async with open_node(data, Config(), only=PLUGINS) as node:
        ann = Uploader(node, await User.new(node, "ann"))
        await ann.uploads(b"hello")
        id = await ann.creates(6)
        await ann.sends(id, b"abc")
        back_up(data, backup)
    put_back(other, backup)
    async with open_node(other, Config(), only=PLUGINS) as node:
        ann = Uploader(node, await User.of(node, "ann"))
        with refused("gone"):
            await ann.offset(id)
        assert await problems(node) == []
        assert await rows(node, "SELECT bytes, reserved FROM attachments_usage") == [(5, 0)]
        [(name,)] = await rows(node, "SELECT name FROM attachments_blobs")
        assert ann.store.layout.blob(name).read_bytes() == b"hello"


async def test_a_file_that_could_not_be_restored_is_missing_until_it_comes_again(tmp_path: Path) -> None:
    data, backup, other = tmp_path / "data", tmp_path / "b" / "x", tmp_path / "other"
    backup.parent.mkdir()
    async with open_node(data, Config(), only=PLUGINS) as node:
        ann = Uploader(node, await User.new(node, "ann"))
        await ann.uploads(b"hello")
        back_up(data, backup)
    shutil.rmtree(backup.parent / "files")
    put_back(other, backup)
    async with open_node(other, Config(), only=PLUGINS) as node:
        ann = Uploader(node, await User.of(node, "ann"))
        assert await rows(node, "SELECT place FROM attachments_blobs") == [("missing",)]
        assert ann.reads(await ann.uploads(b"hello")) == b"hello"
        assert await problems(node) == []


async def test_the_node_checks_and_repairs_the_store(node: Node, ann: Uploader) -> None:
    await ann.uploads(b"hello")
    lost = await ann.uploads(b"lost")

    def spoil(tx: Any) -> None:
        tx.execute("UPDATE attachments_usage SET bytes = 1")

    await node.core.db.write(spoil)
    ann.store.layout.blob(lost.blob_name).unlink()
    assert len(await problems(node)) == 2
    repaired = await node.call("node.repair")
    assert [each["rows"] for each in repaired["repairs"] if each["name"] == "attachments.repairs"] == [2]
    assert await problems(node) == []


async def test_the_receipt_of_an_erasure_counts_the_bytes_and_what_others_share(
    node: Node, ann: Uploader, bob: Uploader
) -> None:
    root = await User.new(node, "root", admin=True)
    await ann.uploads(b"only ann's")
    await ann.uploads(b"both")
    await bob.uploads(b"both")
    await root.call("people.erase", person="ann", handle="ann")
    [entry] = [each for each in (await root.call("audit.list"))["entries"] if each["action"] == "people.erased"]
    assert (entry["details"]["attachments.contents"], entry["details"]["attachments.bytes"]) == ("1", "10")
    assert entry["details"]["attachments.shared"] == "1"
