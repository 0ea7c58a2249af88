"""Files over HTTP: what is sent, with which header fields, and what is counted."""

from __future__ import annotations

import errno
import hashlib
from base64 import b64encode
from itertools import product
from pathlib import Path

import attrs
import chatnode_attachments
import pytest
import trio
from chatnode_attachments.figures import health
from chatnode_attachments.settings import AttachmentsSettings
from chatnode_attachments.state import Attachments

from chatnode.config import Config
from chatnode.node import open_node
from chatnode.testing import User
from tests.transport.clients import Address, Http, head, open_wire, serving, wait_for

from .fetching import Reader, fetch
from .storing import PNG, WEBP, Storing

ALWAYS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": (
        "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'"
    ),
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex",
    "cache-control": "private, no-cache",
}
LARGE = bytes(range(256)) * 4_096 * 16  # 16 MiB: more than all buffers on the way


@pytest.fixture
async def ann(storing: Storing, address: Address) -> Reader:
    return await Reader.at(address, storing.node, "ann")


@pytest.fixture
async def bob(storing: Storing, address: Address) -> Reader:
    return await Reader.at(address, storing.node, "bob")


# ---- what is sent


async def test_a_file_comes_as_it_was_stored(storing: Storing, ann: Reader) -> None:
    content = b"hello, file"
    stored = await storing.file(ann, content, name="Übung.txt", type="text/plain")
    got = await ann.gets(stored.target)
    sha256 = hashlib.sha256(content)
    assert (got.status, got.body) == (200, content)
    assert got.headers.items() >= ALWAYS.items()
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["content-disposition"] == "attachment; filename=\"_bung.txt\"; filename*=UTF-8''%C3%9Cbung.txt"
    assert got.headers["content-length"] == str(len(content))
    assert got.headers["accept-ranges"] == "bytes"
    assert got.headers["etag"] == f'"{sha256.hexdigest()[:32]}"'
    assert got.headers["repr-digest"] == f"sha-256=:{b64encode(sha256.digest()).decode()}:"


async def test_head_says_the_same_and_sends_nothing(storing: Storing, ann: Reader) -> None:
    stored = await storing.picture(ann)
    for target in (stored.target, f"{stored.target}/thumb320"):
        got, asked = await ann.gets(target), await ann.gets(target, method="HEAD", Range="bytes=0-1")
        assert (asked.status, asked.body) == (200, b"")
        assert attrs.evolve(asked, headers={**asked.headers, "date": ""}).headers == {**got.headers, "date": ""}


async def test_a_part_is_sent_and_the_rest_may_be_fetched_later(storing: Storing, ann: Reader) -> None:
    stored = await storing.file(ann, b"0123456789")
    first = await ann.gets(stored.target, Range="bytes=0-3")
    assert (first.status, first.body, first.headers["content-range"]) == (206, b"0123", "bytes 0-3/10")
    assert first.headers["content-length"] == "4"
    assert "repr-digest" in first.headers
    rest = await ann.gets(stored.target, Range="bytes=4-", If_Range=first.headers["etag"])
    assert (rest.status, rest.body) == (206, b"456789")
    changed = await ann.gets(stored.target, Range="bytes=4-", If_Range='"another"')
    assert (changed.status, changed.body) == (200, b"0123456789")


async def test_several_ranges_are_one_whole_file(storing: Storing, ann: Reader) -> None:
    stored = await storing.file(ann, b"0123456789")
    got = await ann.gets(stored.target, Range="bytes=0-1,5-6")
    assert (got.status, got.body) == (200, b"0123456789")
    assert "content-range" not in got.headers


async def test_a_range_after_the_end_is_refused(storing: Storing, ann: Reader) -> None:
    stored = await storing.file(ann, b"0123456789")
    got = await ann.gets(stored.target, Range="bytes=10-")
    assert (got.status, got.body, got.headers["content-range"]) == (416, b"", "bytes */10")
    assert got.headers.items() >= ALWAYS.items()


async def test_what_the_client_has_is_not_sent_again(storing: Storing, ann: Reader) -> None:
    stored = await storing.picture(ann)
    for target in (stored.target, f"{stored.target}/thumb320"):
        tag = (await ann.gets(target)).headers["etag"]
        again = await ann.gets(target, If_None_Match=tag)
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
        assert again.headers["content-security-policy"] == ALWAYS["content-security-policy"]
        assert (await ann.gets(target, If_None_Match='"another"')).status == 200
        assert (await ann.gets(target, If_Match='"another"')).status == 412


async def test_an_empty_file_is_sent(storing: Storing, ann: Reader) -> None:
    stored = await storing.file(ann, b"")
    got = await ann.gets(stored.target, Range="bytes=-5")
    assert (got.status, got.body, got.headers["content-length"]) == (200, b"", "0")


async def test_a_range_over_http_is_what_slicing_gives(storing: Storing, address: Address, ann: Reader) -> None:
    content = b"0123"
    stored = await storing.file(ann, content)
    ends = [None, *range(7)]
    async with await Http.open(address) as http:
        for first, last in product(ends, ends):
            field = f"bytes={'' if first is None else first}-{'' if last is None else last}"
            got = await http.request("GET", stored.target, headers={**ann.bearer, "Range": field})
            wanted = content[-last:] if first is None and last else content[first : None if last is None else last + 1]
            assert int(got.headers["content-length"]) == len(got.body)
            match got.status:
                case 206:
                    assert got.body == wanted
                    start = content.index(wanted)
                    assert got.headers["content-range"] == f"bytes {start}-{start + len(wanted) - 1}/4"
                case 416:
                    assert (first is None and last == 0) or (first is not None and first >= 4)
                case status:
                    assert (status, got.body) == (200, content)
                    assert first is last is None or (first is not None and last is not None and last < first)


# ---- how browsers see it


@pytest.mark.parametrize(
    ("content", "type", "derive", "shown"),
    [
        (PNG, "image/png", "done", "image/png"),
        (PNG, "image/png", "failed", None),
        (PNG, "image/png", "none", None),
        (b"fLaC\0\0\0\x22" + bytes(64), "audio/flac", "none", "audio/flac"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", "none", None),
        (b"<!doctype html><script>alert(1)</script>", "text/html", "none", None),
        (b"<script>alert(1)</script>", "image/png", "done", None),
        (b"%PDF-1.7", "application/pdf", "none", None),
        (b"plain", "text/plain", "none", None),
    ],
)
async def test_only_what_is_proven_is_shown(
    storing: Storing, ann: Reader, content: bytes, type: str, derive: str, shown: str | None
) -> None:
    stored = await storing.file(ann, content, type=type, derive=derive)
    for target in (stored.target, f"{stored.target}?download=1"):
        got = await ann.gets(target)
        assert got.headers["content-type"] == (shown or "application/octet-stream")
        inline = shown is not None and target == stored.target
        assert got.headers["content-disposition"].startswith("inline" if inline else "attachment")


async def test_a_thumbnail_is_shown_and_kept(storing: Storing, ann: Reader) -> None:
    stored = await storing.picture(ann)
    got = await ann.gets(f"{stored.target}/thumb320")
    assert (got.status, got.body, got.headers["content-type"]) == (200, WEBP, "image/webp")
    assert got.headers["cache-control"] == "private, max-age=86400"
    assert got.headers["content-disposition"].startswith("inline")
    assert "repr-digest" not in got.headers
    for missing in ("thumb1280", "thumb9", "..", "%2e%2e", "thumb320/"):
        assert (await ann.gets(f"{stored.target}/{missing}")).status == 404, missing


async def test_names_cannot_add_header_fields(storing: Storing, ann: Reader) -> None:
    stored = await storing.file(ann, b"x", name='a\r\nX-Evil: 1\r\n\r\n<script>"; filename="b')
    got = await ann.gets(stored.target)
    assert (got.status, got.body) == (200, b"x")
    assert "x-evil" not in got.headers


@pytest.mark.parametrize("id", ["0" * 32, "x", "..", "%2e%2e%2fpasswd", "a" * 5_000, "%00", "'%20OR%201=1%20--"])
async def test_an_unknown_id_is_not_found(ann: Reader, id: str) -> None:
    got = await ann.gets(f"/plugins/attachments/files/{id}")
    assert (got.status, got.error["code"]) == (404, "not_found")


# ---- what is not there


async def test_a_file_that_is_missing_on_disk_is_gone_and_reported(storing: Storing, ann: Reader) -> None:
    stored = await storing.file(ann, b"here today")
    for damaged in (None, b"here"):
        stored.path.unlink() if damaged is None else stored.path.write_bytes(damaged)
        got = await ann.gets(stored.target)
        assert (got.status, got.error["code"]) == (410, "gone")
        assert "content-disposition" not in got.headers
        with pytest.raises(RuntimeError, match="1 content missing"):
            await health(storing.context)
    stored.path.write_bytes(b"here today")
    assert (await ann.gets(stored.target)).body == b"here today"
    assert (await health(storing.context))["contents"] == 1


async def test_a_file_that_was_missing_and_is_deleted_is_no_fault(storing: Storing, ann: Reader) -> None:
    stored = await storing.file(ann, b"here today")
    stored.path.unlink()
    assert (await ann.gets(stored.target)).status == 410
    await storing.change("DELETE FROM attachments_files")
    await storing.change("DELETE FROM attachments_blobs")
    assert (await health(storing.context))["contents"] == 0


async def test_a_path_that_is_no_file_is_never_followed(storing: Storing, ann: Reader) -> None:
    stored = await storing.file(ann, b"secret")
    stored.path.rename(stored.path.with_name("elsewhere"))
    stored.path.symlink_to("elsewhere")
    assert (await ann.gets(stored.target)).status == 410


async def test_a_disk_that_fails_is_no_reason_to_forget_the_file(
    storing: Storing, ann: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = await storing.file(ann, b"x")

    def fail(*_: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("chatnode_attachments.serving.downloads.os.pread", fail)
        got = await ann.gets(stored.target)
    assert (got.status, got.error["code"], got.headers["retry-after"]) == (503, "unavailable", "6")
    assert (await ann.gets(stored.target)).status == 200


# ---- counting


async def counted(storing: Storing) -> tuple[int, int, int]:
    """Downloads of all files, and bytes and downloads of all days."""
    state = storing.node.core.state(Attachments)
    await state.counts.write(storing.context)
    [(files,)] = await storing.rows("SELECT coalesce(sum(downloads), 0) FROM attachments_files")
    [days] = await storing.rows("SELECT coalesce(sum(bytes), 0), coalesce(sum(downloads), 0) FROM attachments_served")
    return files, *days


async def test_a_download_is_counted_when_its_end_was_sent(storing: Storing, ann: Reader, bob: Reader) -> None:
    stored = await storing.picture(ann)
    size = len(stored.content)
    await storing.post(stored, ann, await ann.direct(bob))
    await bob.gets(stored.target, method="HEAD")
    await bob.gets(stored.target, If_None_Match=(await ann.gets(stored.target)).headers["etag"])
    assert await counted(storing) == (0, size, 0)  # its uploader's is none
    await bob.gets(stored.target, Range="bytes=0-9")
    await bob.gets(f"{stored.target}/thumb320")
    assert await counted(storing) == (0, size + 10 + len(WEBP), 0)
    await bob.gets(stored.target, Range="bytes=-5")
    await bob.gets(stored.target)
    assert await counted(storing) == (1, 2 * size + 15 + len(WEBP), 1)


async def test_a_download_that_breaks_off_is_not_counted_and_frees_its_slot(
    storing: Storing, address: Address, ann: Reader, bob: Reader
) -> None:
    stored = await storing.file(ann, LARGE)
    await storing.post(stored, ann, await ann.direct(bob))
    state = storing.node.core.state(Attachments)
    for _ in range(10):  # more than the slots of a user
        async with Http(await open_wire(address, receive_buffer=4_096)) as http:
            await http.send(head("GET", stored.target, None, bob.bearer))
            await http.exactly(10_000)
    with trio.fail_after(10):
        assert (await bob.gets(stored.target)).body == LARGE
    await wait_for(lambda: not state.slots._people)
    assert await counted(storing) == (1, len(LARGE), 1)


async def test_counts_are_written_when_the_node_stops(tmp_path: Path) -> None:
    async with open_node(tmp_path / "data", Config(), only=[chatnode_attachments]) as node:
        storing = Storing(node)
        stored = await storing.file(await User.new(node, "ann"), b"x")
        async with serving(node):
            node.core.state(Attachments).counts.downloaded(stored.key, 99)
        assert await storing.rows("SELECT downloads FROM attachments_files") == [(1,)]


@pytest.mark.parametrize(
    "config", [Config(of_plugins={"attachments": {"downloads_per_person": 1}})], ids=["one at a time"]
)
async def test_a_user_has_so_many_downloads_at_a_time(
    storing: Storing, address: Address, ann: Reader, bob: Reader
) -> None:
    assert storing.context.settings(AttachmentsSettings).downloads_per_person == 1
    stored = await storing.file(ann, LARGE)
    await storing.post(stored, ann, await ann.direct(bob))
    async with Http(await open_wire(address, receive_buffer=4_096)) as slow:
        await slow.send(head("GET", stored.target, None, bob.bearer))
        await slow.exactly(1_000)
        with trio.move_on_after(0.3) as waited:
            await bob.gets(stored.target)
        assert waited.cancelled_caught  # it waits for the other one
        assert (await ann.gets(stored.target)).status == 200  # another user does not
    with trio.fail_after(10):
        assert (await bob.gets(stored.target)).status == 200


# ---- who is not signed in


async def test_nobody_gets_a_file_without_a_token(storing: Storing, address: Address, ann: Reader) -> None:
    stored = await storing.file(ann, b"x")
    for fields in ({}, {"Authorization": "Bearer nonsense"}):
        got = await fetch(address, stored.target, headers=fields)
        assert (got.status, got.error["code"]) == (401, "unauthenticated")
