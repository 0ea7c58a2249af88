"""Bytes come in, in as many requests as it takes, and none that was acknowledged is lost."""

from __future__ import annotations

import hashlib

import pytest
import trio
from chatnode_attachments.store.refusals import ChecksumMismatch, OffsetMismatch, UploadTakenOver
from chatnode_attachments.store.sink import Checksum

from chatnode.node import Node
from chatnode.testing import refused
from tests.plugins.attachments.store.storing import Uploader, broken, pieces, rows


async def test_a_file_is_stored_under_a_name_of_the_nodes_own(ann: Uploader) -> None:
    file = await ann.uploads(b"hello", "hello.txt")
    assert ann.reads(file) == b"hello"
    assert (file.name, file.bytes, file.sha256) == ("hello.txt", 5, hashlib.sha256(b"hello").digest())
    assert file.id not in str(ann.store.layout.blob(file.blob_name))


async def test_an_upload_is_resumed_where_it_broke_off(ann: Uploader) -> None:
    content = bytes(range(256)) * 12_000
    id = await ann.creates(len(content))
    with pytest.raises(ConnectionError):
        await ann.sends(id, broken(ConnectionError(), content[:1_000_000], content[1_000_000:2_000_001]))
    assert await ann.offset(id) == 2_000_001
    await ann.sends(id, content[2_000_001:], 2_000_001)
    [(sha256,)] = await rows(ann.node, "SELECT sha256 FROM attachments_blobs")
    assert sha256 == hashlib.sha256(content).digest()


async def test_an_empty_file_is_a_file(ann: Uploader) -> None:
    assert ann.reads(await ann.uploads(b"")) == b""


async def test_the_length_may_come_later(ann: Uploader) -> None:
    id = await ann.creates(None)
    await ann.sends(id, b"abc")
    async with ann.store.lock(id):
        upload = await ann.store.set_length(ann.ctx, await ann.store.find(ann.ctx, id), 5)
        await ann.store.receive(ann.ctx, upload, pieces(b"de"), offset=3)
    assert await ann.offset(id) == 5


async def test_another_offset_is_refused_and_named(ann: Uploader) -> None:
    id = await ann.creates(5)
    await ann.sends(id, b"abc")
    with pytest.raises(OffsetMismatch) as caught:
        await ann.sends(id, b"de", 2)
    assert caught.value.offset == 3


async def test_bytes_beyond_the_length_are_refused_and_those_before_kept(ann: Uploader) -> None:
    id = await ann.creates(5)
    with refused("too_large", "length"):
        await ann.sends(id, b"abcdefg")
    assert await ann.offset(id) == 5


async def test_bytes_with_a_wrong_checksum_are_not_kept(ann: Uploader) -> None:
    id = await ann.creates(6)
    await ann.sends(id, b"abc")
    with pytest.raises(ChecksumMismatch):
        await ann.sends(id, b"xxx", 3, checksum=Checksum("sha1", hashlib.sha1(b"def").digest()))
    assert await ann.offset(id) == 3
    await ann.sends(id, b"def", 3, checksum=Checksum("sha1", hashlib.sha1(b"def").digest()))
    [(sha256,)] = await rows(ann.node, "SELECT sha256 FROM attachments_blobs")
    assert sha256 == hashlib.sha256(b"abcdef").digest()


async def test_a_request_with_a_checksum_that_breaks_off_is_not_kept(ann: Uploader) -> None:
    id = await ann.creates(6)
    checksum = Checksum("sha256", hashlib.sha256(b"abcdef").digest())
    with pytest.raises(ConnectionError):
        await ann.sends(id, broken(ConnectionError(), b"abc"), checksum=checksum)
    assert await ann.offset(id) == 0
    assert ann.store.layout.incoming(id).stat().st_size == 0


async def test_a_new_request_stops_the_one_before_and_has_its_bytes(ann: Uploader, node: Node) -> None:
    id = await ann.creates(6)
    sent, stopped = trio.Event(), trio.Event()

    async def slow():
        yield b"abc"
        sent.set()
        await trio.sleep_forever()

    async def send() -> None:
        with pytest.raises(UploadTakenOver):
            await ann.sends(id, slow())
        stopped.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        await sent.wait()
        assert await ann.offset(id) == 3
    assert stopped.is_set()
    await ann.sends(id, b"def", 3)


async def test_an_upload_of_another_user_does_not_exist(ann: Uploader, bob: Uploader) -> None:
    id = await ann.creates(3)
    with refused("not_found"):
        await bob.sends(id, b"abc")


async def test_a_terminated_upload_is_gone_and_its_quota_free(ann: Uploader) -> None:
    id = await ann.creates(3)
    async with ann.store.lock(id):
        await ann.store.terminate(ann.ctx, await ann.store.find(ann.ctx, id))
    with refused("gone"):
        await ann.offset(id)
    assert await rows(ann.node, "SELECT bytes, reserved FROM attachments_usage") == [(0, 0)]
