"""Quotas are reserved when an upload begins, and released when it ends, however it ends."""

from __future__ import annotations

import chatnode_attachments
import pytest
import trio
from chatnode_attachments.store.refusals import DiskFull, ReceivingIdle

from chatnode.config import Config, Storage
from chatnode.node import Node
from chatnode.testing import User, refused
from tests.plugins.attachments.store.storing import Uploader, rows

MIB = 1 << 20


def with_attachments(**settings: object) -> pytest.MarkDecorator:
    """Run a test on a node with these settings of the plugin."""
    name = ", ".join(f"{key}={value}" for key, value in settings.items())
    return pytest.mark.parametrize("config", [Config(of_plugins={"attachments": settings})], ids=[name])


async def usage(who: Uploader) -> tuple[int, int, int]:
    found = await who.user.call("attachments.usage")
    return found["bytes"], found["reserved"], found["sent"]


@with_attachments(file_mib=1)
async def test_a_file_that_is_too_large_is_refused_when_it_begins(ann: Uploader) -> None:
    with refused("too_large", "length"):
        await ann.creates(MIB + 1)
    await ann.creates(MIB)


@with_attachments(file_mib=1)
async def test_an_upload_of_unknown_length_has_the_limit_of_a_file(ann: Uploader) -> None:
    id = await ann.creates(None)
    assert await usage(ann) == (0, MIB, MIB)
    with refused("too_large", "length"):
        await ann.sends(id, bytes(MIB + 1))
    assert await ann.offset(id) == MIB
    async with ann.store.lock(id):
        upload = await ann.store.find(ann.ctx, id)
        with refused("too_large", "length"):
            await ann.store.set_length(ann.ctx, upload, MIB + 1)
        with refused("invalid", "length"):
            await ann.store.set_length(ann.ctx, upload, MIB - 1)
        await ann.store.finish(ann.ctx, await ann.store.set_length(ann.ctx, upload, MIB))
    assert await usage(ann) == (MIB, 0, MIB)


@with_attachments(file_mib=0, person_mib=0, day_mib=0)
async def test_without_limits_an_upload_of_unknown_length_has_none(ann: Uploader) -> None:
    id = await ann.creates(None)
    await ann.sends(id, bytes(MIB))
    assert await usage(ann) == (0, 0, MIB)


@with_attachments(person_mib=3, day_mib=0)
async def test_a_users_files_and_uploads_count_together(ann: Uploader, bob: Uploader) -> None:
    await ann.uploads(bytes(MIB))
    id = await ann.creates(2 * MIB)
    with refused("too_large", "length"):
        await ann.creates(1)
    await bob.creates(3 * MIB)
    async with ann.store.lock(id):
        await ann.store.terminate(ann.ctx, await ann.store.find(ann.ctx, id))
    await ann.creates(2 * MIB)


@with_attachments(day_mib=2)
async def test_what_was_never_sent_does_not_count_for_a_day(ann: Uploader) -> None:
    id = await ann.creates(2 * MIB)
    with refused("too_large", "length"):
        await ann.creates(1)
    await ann.sends(id, bytes(100))
    async with ann.store.lock(id):
        await ann.store.terminate(ann.ctx, await ann.store.find(ann.ctx, id))
    assert await usage(ann) == (0, 0, 100)
    with refused("too_large", "length"):
        await ann.creates(2 * MIB)
    await ann.creates(2 * MIB - 100)


@with_attachments(node_mib=2)
async def test_the_node_counts_what_is_on_disk(ann: Uploader, bob: Uploader) -> None:
    await ann.uploads(bytes(MIB))
    await ann.uploads(bytes(MIB))  # the same content
    await bob.creates(MIB - 1)
    with refused("too_large", "length"):
        await bob.creates(2)


async def test_a_full_disk_refuses_new_uploads_and_counts_those_that_are_still_coming(
    ann: Uploader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ann.store, "_free_bytes", lambda: 1000)
    id = await ann.creates(600)
    with pytest.raises(DiskFull) as caught:
        await ann.creates(401)
    assert caught.value.status == 507
    await ann.sends(id, bytes(100))
    await ann.creates(500)


@pytest.mark.parametrize("config", [Config(storage=Storage(least_free_mib=1 << 40))], ids=["a lot is kept free"])
async def test_what_the_database_needs_is_left_to_it(ann: Uploader) -> None:
    with pytest.raises(DiskFull):
        await ann.creates(1)


# ---- at a time


@with_attachments(uploads_per_person=1, uploads_at_a_time=2)
async def test_only_a_few_uploads_are_received_at_a_time(node: Node, ann: Uploader, bob: Uploader) -> None:
    cay = Uploader(node, await User.new(node, "cay"))
    begun = [trio.Event(), trio.Event()]

    async def slow(started: trio.Event):
        started.set()
        await trio.sleep_forever()
        yield b""

    async with trio.open_nursery() as nursery:
        for who, started in zip((ann, bob), begun, strict=True):
            nursery.start_soon(who.sends, await who.creates(5), slow(started))
            await started.wait()
        for who in (ann, cay):
            with refused("unavailable") as caught:
                await who.sends(await who.creates(5), b"hello")
            assert caught.value.retry_after == 5
        nursery.cancel_scope.cancel()
    await cay.sends(await cay.creates(5), b"hello")


async def test_a_client_that_sends_nothing_is_not_waited_for_and_its_bytes_are_kept(
    ann: Uploader, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stuck():
        yield b"abc"
        await trio.sleep_forever()

    id = await ann.creates(6)
    monkeypatch.setattr(ann.store, "_settings", chatnode_attachments.AttachmentsSettings(idle_seconds=0.05))
    with pytest.raises(ReceivingIdle):
        await ann.sends(id, stuck())
    assert await ann.offset(id) == 3


# ---- what users see


async def test_uploads_in_progress_are_listed_for_other_devices(ann: Uploader, bob: Uploader) -> None:
    id = await ann.creates(6, "a.txt")
    await ann.sends(id, b"abc")
    await ann.uploads(b"done")
    [found] = (await ann.user.call("attachments.uploads"))["uploads"]
    assert (found["upload"], found["name"], found["bytes"], found["length"]) == (id, "a.txt", 3, 6)
    assert (await bob.user.call("attachments.uploads"))["uploads"] == []


async def test_auditors_see_who_uploaded_how_much(node: Node, ann: Uploader, bob: Uploader) -> None:
    root = await User.new(node, "root", admin=True)
    file = await ann.uploads(b"hello", "x.txt")
    await ann.uploads(b"hello")
    sql = "UPDATE attachments_files SET downloads = 3, last_download_at = 0 WHERE id = ?"
    await node.core.db.write(lambda tx: tx.execute(sql, (file.id,)))
    report = await root.call("attachments.report")
    assert (report["blobs"], report["bytes"]) == (1, 5)
    assert [(each["person"]["handle"], each["files"], each["bytes"]) for each in report["people"]] == [("ann", 2, 10)]
    assert [(each["name"], each["downloads"]) for each in report["files"]] == [("x.txt", 3)]
    with refused("forbidden"):
        await bob.user.call("attachments.report")


async def test_a_user_without_the_permission_uploads_nothing(node: Node, ann: Uploader) -> None:
    root = await User.new(node, "root", admin=True)
    await root.call("roles.set", role="reader", permissions=["chat"])
    await root.call("people.role", person="ann", role="reader")
    reader = await User.of(node, "ann")
    with refused("forbidden"):
        await reader.call("attachments.usage")


async def test_usage_is_recounted_from_the_files(node: Node, ann: Uploader) -> None:
    await ann.uploads(b"hello")
    await node.core.db.write(lambda tx: tx.execute("UPDATE attachments_usage SET bytes = 7"))
    await node.core.db.write(lambda tx: tx.execute("UPDATE attachments_totals SET bytes = 7"))
    done = await node.call("attachments.check", repair=True)
    assert (len(done["problems"]), done["repaired"]) == (2, 2)
    assert (await node.call("attachments.check"))["problems"] == []
    assert await rows(node, "SELECT bytes FROM attachments_usage") == [(5,)]


@with_attachments(unfinished_per_person=2)
async def test_a_user_has_few_unfinished_uploads(ann: Uploader) -> None:
    first, _ = await ann.creates(1), await ann.creates(1)
    with refused("too_large"):
        await ann.creates(1)
    await ann.sends(first, b"a")
    await ann.creates(1)
