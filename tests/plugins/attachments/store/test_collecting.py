"""What nobody refers to any more is removed, at once and for good, and nothing else is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import chatnode_attachments
import pytest
import trio
from chatnode_attachments.keeping import after_restore
from chatnode_attachments.state import Attachments
from chatnode_attachments.store.collecting import CollectedFiles
from chatnode_attachments.store.files import find_file, remove_bytes
from chatnode_attachments.store.rows import FileRow
from chatnode_attachments.store.sweeping import Stray, sweep

from chatnode.api import Account, Allow, Context, Deny, RestoreNote
from chatnode.config import Config
from chatnode.node import Node, open_node
from chatnode.testing import User, refused
from tests.plugins.attachments.store.storing import Uploader, context, rows
from tests.plugins.surface.making import made
from tests.transport.clients import wait_for


async def collect(node: Node) -> CollectedFiles:
    return await node.core.state(Attachments).collector.collect(context(node))


async def sql(node: Node, statement: str, values: Sequence[Any] = ()) -> None:
    await node.core.db.write(lambda tx: tx.execute(statement, values))


LATER = "UPDATE attachments_strays SET since = since - 86400001"
"""A day later."""


async def swept(node: Node, **older: float) -> list[Stray]:
    here = node.core.state(Attachments)
    return await sweep(context(node), here.layout, here.store.run, **older)


def on_disk(who: Uploader) -> list[str]:
    return sorted(path.name for _, folder in who.store.layout.folders() for path in folder.iterdir() if path.is_file())


async def posted(who: Uploader, conversation: str, file: FileRow) -> str:
    """Post a message, bind the file to it, and return its id."""
    message = (await who.user.posts(conversation, "look"))["message"]
    bind = "UPDATE attachments_files SET message = (SELECT key FROM messages WHERE id = ?) WHERE id = ?"
    await sql(who.node, bind, (message, file.id))
    return message


# ---- what goes


async def test_the_bytes_go_with_the_last_message_that_has_them(ann: Uploader, bob: Uploader) -> None:
    talk = await ann.user.direct(bob.user)
    first, second = await ann.uploads(b"hello"), await bob.uploads(b"hello")
    assert first.blob_name == second.blob_name
    messages = [await posted(ann, talk, first), await posted(bob, talk, second)]
    await ann.user.call("messages.delete", message=messages[0])
    await collect(ann.node)
    assert bob.reads(second) == b"hello"
    await bob.user.call("messages.delete", message=messages[1])
    await collect(ann.node)
    assert on_disk(ann) == []
    assert await rows(ann.node, "SELECT sum(bytes) FROM attachments_usage") == [(0,)]


async def test_a_file_that_was_not_posted_goes_after_a_day(ann: Uploader) -> None:
    file = await ann.uploads(b"hello")
    await sql(ann.node, "UPDATE attachments_files SET created_at = created_at - ?", (24 * 3_600_000 - 60_000,))
    assert (await collect(ann.node)).files == 0
    await sql(ann.node, "UPDATE attachments_files SET used_by = 'avatar', created_at = 0")
    assert (await collect(ann.node)).files == 0
    await sql(ann.node, "UPDATE attachments_files SET used_by = NULL")
    assert (await collect(ann.node)).files == 1
    assert on_disk(ann) == []
    with refused("gone"):
        async with ann.store.lock(file.id):
            await ann.store.finish(ann.ctx, await ann.store.find(ann.ctx, file.id))


async def test_an_upload_expires_but_not_while_bytes_come(ann: Uploader) -> None:
    id, busy = await ann.creates(6), await ann.creates(6)
    for each in (id, busy):
        await ann.sends(each, b"abc")
    await sql(ann.node, "UPDATE attachments_uploads SET expires_at = 0")
    async with ann.store.lock(busy):
        assert (await collect(ann.node)).uploads == 1
    assert on_disk(ann) == [busy]
    with refused("gone"):
        await ann.offset(id)
    await ann.sends(busy, b"def", 3)
    await sql(ann.node, "UPDATE attachments_uploads SET expires_at = 0")
    await collect(ann.node)
    with refused("not_found"):
        await ann.offset(id)


async def test_a_removed_file_leaves_its_row_and_no_bytes(ann: Uploader) -> None:
    file = await ann.uploads(b"hello")
    await sql(ann.node, "UPDATE attachments_files SET removed_at = 1, message = NULL, used_by = 'x'")
    await collect(ann.node)
    assert on_disk(ann) == []
    found = await ann.node.core.db.read(lambda reader: find_file(reader, file.id))
    assert found is not None
    assert found.place == "removed"
    assert ann.reads(await ann.uploads(b"hello")) == b"hello"
    assert (await ann.node.call("attachments.check"))["problems"] == []


async def test_an_unsafe_content_is_known_after_its_bytes_are_gone(ann: Uploader) -> None:
    file = await ann.uploads(b"virus")

    def find(tx: Any) -> None:
        tx.execute("UPDATE attachments_blobs SET scan = 'unsafe', scanned_at = 1 WHERE key = ?", (file.blob,))
        assert remove_bytes(tx, file.blob)

    await ann.node.core.db.write(find)
    await sql(ann.node, "DELETE FROM attachments_files")
    await collect(ann.node)
    assert on_disk(ann) == []
    again = await ann.uploads(b"virus")
    await collect(ann.node)
    assert (again.scan, again.place, on_disk(ann)) == ("unsafe", "removed", [])


async def test_an_erased_users_files_and_uploads_go_and_others_keep_theirs(
    node: Node, ann: Uploader, bob: Uploader
) -> None:
    root = await User.new(node, "root", admin=True)
    talk = await ann.user.direct(bob.user)
    kept, gone = await bob.uploads(b"both"), [await ann.uploads(b"both"), await ann.uploads(b"only ann's")]
    for file in gone:
        await posted(ann, talk, file)
    await ann.sends(await ann.creates(6), b"abc")
    await root.call("people.erase", person="ann", handle="ann")
    await collect(node)
    assert on_disk(bob) == [kept.blob_name]
    assert bob.reads(kept) == b"both"
    assert (await node.call("attachments.check"))["problems"] == []


# ---- what stays


async def test_while_a_backup_runs_no_content_is_moved(ann: Uploader) -> None:
    collector = ann.node.core.state(Attachments).collector
    file = await ann.uploads(b"hello")
    await sql(ann.node, "DELETE FROM attachments_files")
    collector._backup_running = lambda: True
    assert (await collect(ann.node)).left == 1
    assert ann.reads(file) == b"hello"
    collector._backup_running = lambda: False
    assert (await collect(ann.node)).left == 0
    assert on_disk(ann) == []


async def test_a_file_that_cannot_be_removed_is_tried_again(ann: Uploader, monkeypatch: pytest.MonkeyPatch) -> None:
    await ann.uploads(b"hello")
    await sql(ann.node, "DELETE FROM attachments_files")

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(1, "not now")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "unlink", refuse)
        assert (await collect(ann.node)).left == 1
    assert (await collect(ann.node)).unlinked == 1
    assert on_disk(ann) == []


async def test_an_open_file_stays_readable(ann: Uploader) -> None:
    file = await ann.uploads(b"hello")
    with ann.store.layout.blob(file.blob_name).open("rb") as download:
        await sql(ann.node, "DELETE FROM attachments_files")
        await collect(ann.node)
        assert download.read() == b"hello"


@pytest.mark.parametrize("deletes_first", [False, True])
async def test_the_same_content_comes_while_the_collector_removes_it(
    ann: Uploader, bob: Uploader, deletes_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The collector runs whole between any two transactions of the second upload, and the first file goes at each."""
    writes = 0
    content = b"the same content"
    for moment in range(12):
        file = await ann.uploads(content)
        really, writes = bob.node.core.db.write, 0

        async def write(*arguments: Any, really: Any = really, moment: int = moment, **options: Any) -> Any:
            nonlocal writes
            writes += 1
            if writes == moment:
                if deletes_first:
                    await really(
                        lambda tx: tx.execute("DELETE FROM attachments_files WHERE uploader = ?", (ann.user.key,))
                    )
                with pytest.MonkeyPatch.context() as plain:
                    plain.setattr(bob.node.core.db, "write", really)
                    await collect(bob.node)
            return await really(*arguments, **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(bob.node.core.db, "write", write)
            again = await bob.uploads(content)
        await sql(ann.node, "DELETE FROM attachments_files WHERE id = ?", (file.id,))
        await collect(bob.node)
        found = await bob.node.core.db.read(lambda reader, id=again.id: find_file(reader, id))
        assert found is not None
        assert bob.reads(found) == content
        assert on_disk(bob) == [found.blob_name]
        await sql(bob.node, "DELETE FROM attachments_files")
        await collect(bob.node)
    assert 0 < writes < 12, "the moments cover every transaction"


# ---- strays


async def test_stray_files_go_after_a_day_and_known_ones_never(ann: Uploader) -> None:
    await ann.uploads(b"hello")
    id = await ann.creates(6)
    await ann.sends(id, b"abc")
    known = on_disk(ann)
    strays: list[Path] = [ann.store.layout.incoming("f" * 32), ann.store.layout.work / "x"]
    folder = next(folder for tree, folder in ann.store.layout.folders() if tree == "blobs")
    strays.append(folder / ("e" * 32))
    for path in strays:
        path.write_bytes(b"stray")
    assert await swept(ann.node) == []
    assert {each.path for each in await swept(ann.node, older_than=-1)} == set(strays)
    assert on_disk(ann) == known
    await ann.sends(id, b"def", 3)


async def test_what_counts_is_how_long_a_file_has_had_no_row(ann: Uploader) -> None:
    file = await ann.uploads(b"hello")
    blob, place = ann.store.layout.blob(file.blob_name), "UPDATE attachments_blobs SET place = ?"
    await sql(ann.node, place, ("removed",))
    assert await swept(ann.node) == []
    await sql(ann.node, LATER)
    await sql(ann.node, place, ("local",))
    assert await swept(ann.node) == [], "a row knows it again, which forgets that it was stray"
    await sql(ann.node, place, ("removed",))
    assert await swept(ann.node) == []
    await sql(ann.node, LATER)
    assert [each.path for each in await swept(ann.node)] == [blob]


async def test_a_restore_leaves_what_the_backup_does_not_know_for_a_day(ann: Uploader) -> None:
    await ann.uploads(b"posted since")
    unknown = await ann.uploads(b"unknown to the backup")
    await sql(ann.node, "UPDATE attachments_blobs SET place = 'removed' WHERE name = ?", (unknown.blob_name,))
    await swept(ann.node)
    await sql(ann.node, LATER)
    await sql(ann.node, "UPDATE attachments_files SET created_at = 0")
    await ann.node.core.db.write(lambda tx: after_restore(tx, RestoreNote(tx.now, ())))
    assert await swept(ann.node) == []
    assert (await collect(ann.node)).files == 0
    await sql(ann.node, LATER)
    await sql(ann.node, "UPDATE attachments_restored SET at = at - 86400001")
    assert len(await swept(ann.node)) == 1
    assert (await collect(ann.node)).files == 2


# ---- the node's own work


async def test_a_deleted_message_wakes_the_collector(ann: Uploader, bob: Uploader, nursery: trio.Nursery) -> None:
    talk = await ann.user.direct(bob.user)
    message = await posted(ann, talk, await ann.uploads(b"hello"))
    await nursery.start(ann.node.serve, "127.0.0.1:0")
    await ann.user.call("messages.delete", message=message)
    await wait_for(lambda: not on_disk(ann), within=60)


async def test_a_start_finishes_what_a_kill_left(tmp_path: Path) -> None:
    async with open_node(tmp_path, Config(), only=[chatnode_attachments]) as node:
        ann = Uploader(node, await User.new(node, "ann"))
        id = await ann.creates(5)
        async with ann.store.lock(id):

            async def hello():
                yield b"hello"

            await ann.store.receive(ann.ctx, await ann.store.find(ann.ctx, id), hello(), offset=0)
    async with open_node(tmp_path, Config(), only=[chatnode_attachments]) as node, trio.open_nursery() as nursery:
        await nursery.start(node.serve, "127.0.0.1:0")
        with trio.fail_after(60):
            while not await rows(node, "SELECT 1 FROM attachments_files"):  # noqa: ASYNC110
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()


# ---- other plugins


async def test_other_plugins_refuse_uploads_and_follow_files(tmp_path: Path) -> None:
    heard: list[tuple[str, str]] = []

    async def may_upload(person: Account, name: str) -> Allow | Deny | None:
        return Deny("no films here", "forbidden") if name.endswith(".mkv") else None

    async def file_stored(file: FileRow) -> None:
        heard.append(("stored", file.id))

    async def file_gone(ctx: Context, file: str) -> None:
        heard.append(("gone", file))

    other = made("films", may_upload, file_stored, file_gone)
    async with open_node(tmp_path, Config(), only=[chatnode_attachments, other]) as node:
        assert [each.state for each in node.plugins.statuses()] == ["running", "running"]
        ann = Uploader(node, await User.new(node, "ann"))
        with refused("forbidden"):
            await ann.creates(5, "a.mkv")
        file = await ann.uploads(b"hello")
        await sql(node, "DELETE FROM attachments_files")
        await collect(node)
        await collect(node)
    assert heard == [("stored", file.id), ("gone", file.id)]


# ---- operators


async def test_the_operator_collects_and_finds_files(node: Node, ann: Uploader) -> None:
    file = await ann.uploads(b"hello", "x.txt")
    [found] = (await node.call("attachments.stored", person="ann"))["files"]
    assert (found["name"], found["path"]) == ("x.txt", str(ann.store.layout.blob(file.blob_name)))
    root = await User.new(node, "root", admin=True)
    with refused("forbidden"):
        await root.call("attachments.stored", person="ann")
    await sql(node, "DELETE FROM attachments_files")
    done = await node.call("attachments.collect", sweep=True)
    assert (done["unlinked"], done["bytes"], done["swept"]) == (1, 5, 0)
