"""The disk fills up or fails, files vanish, the node is killed between two steps."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from chatnode_attachments.store import uploads
from chatnode_attachments.store.files import find_file
from chatnode_attachments.store.finishing import Finisher
from chatnode_attachments.store.layout import Layout
from chatnode_attachments.store.locks import Locks
from chatnode_attachments.store.refusals import DiskFull, UploadLocked

from chatnode.node import Node
from chatnode.testing import refused
from tests.plugins.attachments.store.storing import Uploader, broken, context, rows


def failing(name: str, error: int, after: int = 0) -> Callable[..., Any]:
    """A call of the system that fails with `error` after it was made `after` times."""
    call, left = getattr(os, name), [after]

    def fail(*arguments: Any, **options: Any) -> Any:
        if left[0] <= 0:
            raise OSError(error, os.strerror(error))
        left[0] -= 1
        return call(*arguments, **options)

    return fail


# ---- the disk


async def test_a_disk_that_fills_up_keeps_what_it_took(ann: Uploader) -> None:
    id = await ann.creates(3 << 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "pwrite", failing("pwrite", errno.ENOSPC, 1))
        with pytest.raises(DiskFull) as caught:
            await ann.sends(id, broken(AssertionError(), bytes(1 << 20), b"x" * (1 << 20)))
    assert caught.value.status == 507
    assert await ann.offset(id) == 1 << 20
    await ann.sends(id, bytes(2 << 20), 1 << 20)
    assert await rows(ann.node, "SELECT bytes FROM attachments_blobs") == [(3 << 20,)]


async def test_a_block_that_fits_halfway_is_kept_halfway(ann: Uploader) -> None:
    id = await ann.creates(10)
    really = os.pwrite

    def some(file: int, data: bytes, at: int) -> int:
        if at:
            raise OSError(errno.EFBIG, "no more")
        return really(file, data[:4], at)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "pwrite", some)
        with pytest.raises(DiskFull):
            await ann.sends(id, b"0123456789")
    assert await ann.offset(id) == 4
    await ann.sends(id, b"456789", 4)
    [(name,)] = await rows(ann.node, "SELECT name FROM attachments_blobs")
    assert ann.store.layout.blob(name).read_bytes() == b"0123456789"


@pytest.mark.parametrize("call", ["fdatasync", "pwrite"])
async def test_after_a_disk_error_the_file_is_never_used_again(ann: Uploader, call: str) -> None:
    id = await ann.creates(6)
    await ann.sends(id, b"abc")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, call, failing(call, errno.EIO))
        with refused("internal"):
            await ann.sends(id, b"def", 3)
    with refused("gone"):
        await ann.sends(id, b"def", 3)
    assert await rows(ann.node, "SELECT reserved FROM attachments_usage") == [(0,)]


async def test_an_upload_whose_file_was_removed_is_gone(ann: Uploader) -> None:
    id = await ann.creates(6)
    await ann.sends(id, b"abc")
    ann.store.layout.incoming(id).unlink()
    with refused("internal"):
        await ann.sends(id, b"def", 3)
    with refused("gone"):
        await ann.offset(id)


async def test_a_tail_that_no_row_knows_of_is_cut_off(ann: Uploader) -> None:
    id = await ann.creates(6)
    await ann.sends(id, b"abc")
    with ann.store.layout.incoming(id).open("ab") as file:
        file.write(b"written, but not known to be on disk")
    await ann.sends(id, b"def", 3)
    [(name,)] = await rows(ann.node, "SELECT name FROM attachments_blobs")
    assert ann.store.layout.blob(name).read_bytes() == b"abcdef"


async def test_a_content_that_vanished_is_stored_again_when_it_is_uploaded_again(ann: Uploader, node: Node) -> None:
    first = await ann.uploads(b"hello")
    ann.store.layout.blob(first.blob_name).unlink()
    assert f"the content {first.blob_name} is missing" in (await node.call("attachments.check"))["problems"]
    again = await ann.uploads(b"hello")
    assert ann.reads(again) == b"hello"
    assert (await node.call("attachments.check"))["problems"] == []


async def test_a_missing_content_says_so_after_a_repair(ann: Uploader, node: Node) -> None:
    file = await ann.uploads(b"hello")
    ann.store.layout.blob(file.blob_name).write_bytes(b"HELLO")
    assert (await node.call("attachments.check"))["problems"] == []
    done = await node.call("attachments.check", deep=True, repair=True)
    assert done["problems"] == [f"the content {file.blob_name} has other bytes than were stored"]
    found = await node.core.db.read(lambda reader: find_file(reader, file.id))
    assert found is not None
    assert found.place == "missing"


# ---- a kill in the middle of finishing


class Killed(BaseException):
    """The process ends here, as far as the database and the disk can tell."""


def dies(*_: Any, **__: Any) -> Any:
    raise Killed


@pytest.mark.parametrize(
    ("where", "what"),
    [(uploads, "begin_finish"), ("chatnode_attachments.store.finishing", "move"), (Finisher, "_lost")],
)
async def test_an_upload_that_was_sent_whole_becomes_a_file_after_a_kill(ann: Uploader, where: Any, what: str) -> None:
    id = await ann.creates(5)
    with pytest.MonkeyPatch.context() as patch:
        if isinstance(where, str):
            patch.setattr(f"{where}.{what}", dies)
        else:
            patch.setattr(where, what, dies)
        with pytest.raises(BaseException):  # noqa: B017, PT011 -- the database wraps what it does not know
            await ann.sends(id, b"hello")
    assert await ann.store.finish_waiting(context(ann.node)) == 1
    assert await ann.store.finish_waiting(context(ann.node)) == 0
    found = await ann.node.core.db.read(lambda reader: find_file(reader, id))
    assert found is not None
    assert ann.reads(found) == b"hello"
    async with ann.store.lock(id):
        assert await ann.store.finish(ann.ctx, await ann.store.find(ann.ctx, id)) == found


async def test_the_hash_is_made_up_for_after_a_restart(ann: Uploader) -> None:
    id = await ann.creates(6)
    await ann.sends(id, b"abc")
    ann.store._hashers.clear()
    await ann.sends(id, b"def", 3)
    assert (await ann.node.call("attachments.check", deep=True))["problems"] == []


# ---- locks


async def test_a_request_that_does_not_stop_holds_the_upload_for_five_seconds(
    autojump_clock: trio.testing.MockClock,
) -> None:
    locks = Locks()
    held = trio.Event()

    async def stubborn() -> None:
        async with locks.hold("x"):
            locks.holder("x").finishing = True
            held.set()
            await trio.sleep(12)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(stubborn)
        await held.wait()
        with pytest.raises(UploadLocked) as caught:
            async with locks.hold("x"):
                raise AssertionError
        assert (trio.current_time(), caught.value.status) == (5, 423)
        await trio.sleep(3)
        async with locks.hold("x"):
            assert trio.current_time() == 12
    assert locks.ids() == frozenset()


async def test_of_many_requests_for_an_upload_one_works_at_a_time(autojump_clock: trio.testing.MockClock) -> None:
    locks = Locks()
    inside: list[int] = []

    async def request(number: int) -> None:
        try:
            async with locks.hold("x"):
                inside.append(number)
                assert len(inside) == 1
                try:
                    await trio.sleep(0.5)
                finally:
                    inside.remove(number)
                done.append(number)
        except Exception:
            stopped.append(number)

    done: list[int] = []
    stopped: list[int] = []
    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(request, number)
            await trio.sleep(0.01)
    assert done == [19]
    assert len(stopped) == 19


# ---- starting


async def test_a_start_empties_the_workshop_and_looks_at_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(tmp_path)
    layout.prepare()
    layout.blob("ab12").parent.mkdir()
    layout.blob("ab12").write_bytes(b"x")
    (layout.work / "left").write_bytes(b"x")
    seen: list[Any] = []
    scan = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path=".": seen.append(path) or scan(path))
    layout.prepare()
    assert list(layout.work.iterdir()) == []
    assert layout.blob("ab12").exists()
    assert not any("blobs" in str(path) for path in seen)
