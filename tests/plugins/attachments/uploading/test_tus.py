"""tus 1.0: what each request does, and what is refused in which words."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
import trio

from chatnode.config import Config
from chatnode.node import open_node
from tests.plugins.attachments.store.storing import PLUGINS, rows, store_of
from tests.plugins.attachments.uploading.tus_client import (
    BYTES,
    FILES,
    TUS,
    UPLOADS,
    TusClient,
    checksum,
    metadata,
)
from tests.transport.clients import Address, Http, bearer, head, serving, wait_for

CONTENT = bytes(range(256)) * 12_000
HALF = len(CONTENT) // 2


async def state_of(client: TusClient, path: str) -> str:
    found = await rows(client.node, "SELECT state FROM attachments_uploads WHERE id = ?", (path.rpartition("/")[2],))
    return found[0][0]


# ---- the way of an upload


async def test_an_upload_in_two_requests_becomes_a_file_under_its_own_id(ann: TusClient) -> None:
    answer = await ann.creates(len(CONTENT), Upload_Metadata=metadata(filename="a/../photo.bin", filetype="x/y"))
    assert (answer.status, answer.body) == (201, b"")
    assert answer.headers["tus-resumable"] == "1.0.0"
    location = answer.headers["location"]
    assert location.startswith("uploads/")  # relative: no proxy changes it
    assert parsedate_to_datetime(answer.headers["upload-expires"]).timestamp() > 0
    path = f"/plugins/attachments/{location}"

    answer = await ann.sends(path, CONTENT[:HALF], 0)
    assert (answer.status, answer.headers["upload-offset"]) == (204, str(HALF))
    assert "upload-expires" in answer.headers
    seen = await ann.looks(path)
    assert (seen.status, seen.body) == (200, b"")
    assert (seen.headers["upload-offset"], seen.headers["upload-length"]) == (str(HALF), str(len(CONTENT)))
    assert seen.headers["cache-control"] == "no-store"
    assert seen.headers["upload-metadata"] == metadata(filename="a/../photo.bin", filetype="x/y")

    answer = await ann.sends(path, CONTENT[HALF:], HALF)
    assert (answer.status, answer.headers["upload-offset"]) == (204, str(len(CONTENT)))
    assert await ann.stored(path) == CONTENT
    assert await ann.offset(path) == len(CONTENT)  # for a client that lost the answer
    assert await rows(ann.node, "SELECT name FROM attachments_files") == [("a_.._photo.bin",)]
    assert await ann.reserved() == 0


async def test_an_upload_may_come_with_its_creation_in_part_or_whole(ann: TusClient) -> None:
    answer = await ann.creates(6, b"abc")
    assert (answer.status, answer.headers["upload-offset"]) == (201, "3")
    path = f"/plugins/attachments/{answer.headers['location']}"
    assert (await ann.sends(path, b"def", 3)).status == 204
    assert await ann.stored(path) == b"abcdef"
    whole = await ann.creates(3, b"xyz", Upload_Checksum=checksum(b"xyz", "sha1"))
    assert (whole.status, whole.headers["upload-offset"]) == (201, "3")
    assert await ann.stored(f"/plugins/attachments/{whole.headers['location']}") == b"xyz"


async def test_an_upload_of_nothing_is_done_at_once(ann: TusClient) -> None:
    path = await ann.begins(0)
    assert await ann.stored(path) == b""


async def test_a_request_at_another_offset_says_no_length(ann: TusClient) -> None:
    path = await ann.begins(None)
    assert (await ann.sends(path, b"abc", 3, Upload_Length="5")).status == 409
    seen = await ann.looks(path)
    assert (seen.headers["upload-defer-length"], "upload-length" in seen.headers) == ("1", False)


async def test_a_finished_upload_takes_no_more_bytes(ann: TusClient) -> None:
    path = await ann.begins(3)
    assert (await ann.sends(path, b"abc", 0)).status == 204
    assert (await ann.sends(path, b"de", 3)).status == 413
    assert (await ann.sends(path, b"", 3)).status == 204  # of a client that lost the answer
    assert await ann.stored(path) == b"abc"


async def test_the_length_may_come_later_and_once(ann: TusClient) -> None:
    path = await ann.begins(None)
    assert (await ann.sends(path, b"abc", 0)).status == 204
    seen = await ann.looks(path)
    assert (seen.headers["upload-defer-length"], "upload-length" in seen.headers) == ("1", False)
    assert (await ann.sends(path, b"", 3, Upload_Length="2")).status == 400  # less than there is
    assert (await ann.sends(path, b"de", 3, Upload_Length="6")).status == 204
    assert (await ann.sends(path, b"", 5, Upload_Length="7")).status == 409
    assert (await ann.looks(path)).headers["upload-length"] == "6"
    assert (await ann.sends(path, b"f", 5, Upload_Length="6")).status == 204
    assert await ann.stored(path) == b"abcdef"


async def test_chunks_of_http_are_taken_too(ann: TusClient, address: Address) -> None:
    path = await ann.begins(6)
    http = await ann.starts_sending(path, 0, b"", Content_Length="", Transfer_Encoding="chunked")
    async with http:
        await http.send(b"4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n")
        assert (await http.response()).headers["upload-offset"] == "6"
    assert await ann.stored(path) == b"abcdef"


async def test_anybody_may_ask_what_is_supported(address: Address) -> None:
    async with await Http.open(address) as http:
        for path in (UPLOADS, f"{UPLOADS}/{'0' * 32}"):
            answer = await http.request("OPTIONS", path)
            assert answer.status == 204
            assert answer.headers["tus-version"] == "1.0.0"
            assert set(answer.headers["tus-extension"].split(",")) == {
                "creation", "creation-with-upload", "creation-defer-length", "expiration", "checksum", "termination",
            }  # fmt: skip
            assert answer.headers["tus-checksum-algorithm"] == "sha1,sha256"
            assert answer.headers["tus-max-size"] == str(100 << 20)


async def test_the_method_may_be_named_in_a_header(ann: TusClient) -> None:
    path = await ann.begins(3)
    patch = TUS | BYTES | {"Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    assert (await ann.asks("POST", path, b"ab", patch)).status == 204
    look = await ann.asks("POST", path, b"", TUS | {"X-HTTP-Method-Override": "HEAD"})
    assert (look.status, look.headers["upload-offset"]) == (200, "2")
    assert (await ann.asks("POST", path, b"", TUS | {"X-HTTP-Method-Override": "DELETE"})).status == 204
    plain = await ann.asks("POST", path, b"", TUS)
    assert (plain.status, plain.headers["allow"]) == (405, "HEAD, PATCH, DELETE")


# ---- what is refused


async def test_every_request_names_the_version(ann: TusClient) -> None:
    path = await ann.begins(3)
    for method, target in (("POST", UPLOADS), ("HEAD", path), ("PATCH", path), ("DELETE", path)):
        for version in ({}, {"Tus-Resumable": "0.2.2"}):
            answer = await ann.asks(method, target, b"" if method != "HEAD" else None, version)
            assert (answer.status, answer.headers["tus-version"]) == (412, "1.0.0"), method
            assert answer.headers["tus-resumable"] == "1.0.0"


@pytest.mark.parametrize(
    ("headers", "path"),
    [
        ({}, "Upload-Length"),
        ({"Upload-Length": "3", "Upload-Defer-Length": "1"}, "Upload-Length"),
        ({"Upload-Length": "-1"}, "Upload-Length"),
        ({"Upload-Length": "+1"}, "Upload-Length"),
        ({"Upload-Length": "1_0"}, "Upload-Length"),
        ({"Upload-Length": "9" * 19}, "Upload-Length"),
        ({"Upload-Defer-Length": "0"}, "Upload-Defer-Length"),
        ({"Upload-Length": "3", "Upload-Concat": "partial"}, "Upload-Concat"),
        ({"Upload-Length": "3", "Upload-Metadata": "filename"}, None),
        ({"Upload-Length": "3", "Upload-Metadata": "filename !"}, "Upload-Metadata"),
        ({"Upload-Length": "3", "Upload-Metadata": "filename YQ==" + ",filename Yg=="}, "Upload-Metadata"),
        ({"Upload-Length": "3", "Upload-Metadata": "file/name YQ=="}, "Upload-Metadata"),
        ({"Upload-Length": "3", "Upload-Metadata": "filename /w=="}, "Upload-Metadata"),
        ({"Upload-Length": "3", "Upload-Metadata": "filename " + "YWFh" * 1_024}, "Upload-Metadata"),
        ({"Upload-Length": "3", "Upload-Checksum": "md5 YQ=="}, "Upload-Checksum"),
        ({"Upload-Length": "3", "Upload-Checksum": "sha1 YQ=="}, "Upload-Checksum"),
        ({"Upload-Length": "3", "Upload-Checksum": "sha1 ?"}, "Upload-Checksum"),
    ],
)
async def test_a_creation_that_is_malformed_names_the_place_and_leaves_nothing(
    ann: TusClient, headers: dict[str, str], path: str | None
) -> None:
    answer = await ann.asks("POST", UPLOADS, b"", TUS | headers)
    if path is None:
        assert answer.status == 201  # a key without a value is allowed
        return
    assert (answer.status, answer.error["path"]) == (400, path)
    assert await rows(ann.node, "SELECT count(*) FROM attachments_uploads") == [(0,)]


async def test_a_patch_that_is_malformed_changes_nothing(ann: TusClient) -> None:
    path = await ann.begins(3)
    offset = {"Upload-Offset": "0"}
    assert (await ann.asks("PATCH", path, b"abc", TUS | offset)).status == 415
    assert (await ann.asks("PATCH", path, b"abc", TUS | offset | {"Content-Type": "application/json"})).status == 415
    assert (await ann.asks("PATCH", path, b"abc", TUS | BYTES)).error["path"] == "Upload-Offset"
    assert (await ann.sends(path, b"abc", 0, Upload_Offset="x")).status == 400
    assert (await ann.sends(path, b"abc", 0, Upload_Length="x")).status == 400
    assert (await ann.sends(path, b"abc", 0, Upload_Checksum="crc32 YQ==")).status == 400
    assert (await ann.asks("POST", UPLOADS, b"abc", TUS | {"Upload-Length": "3"})).status == 415
    assert await ann.offset(path) == 0


async def test_another_offset_is_a_conflict_that_tells_the_right_one(ann: TusClient) -> None:
    path = await ann.begins(6)
    await ann.sends(path, b"abc", 0)
    for offset in (0, 2, 4, 6, 7):
        answer = await ann.sends(path, b"def", offset)
        assert (answer.status, answer.headers["upload-offset"]) == (409, "3")
    assert (await ann.sends(path, b"def", 3)).status == 204
    assert await ann.stored(path) == b"abcdef"


async def test_bytes_beyond_the_length_are_refused_and_those_before_are_kept(ann: TusClient) -> None:
    path = await ann.begins(4)
    assert (await ann.sends(path, b"abcdef", 0)).status == 413
    assert await ann.offset(path) == 4
    assert await ann.stored(path) == b"abcd"


async def test_a_wrong_checksum_keeps_nothing_of_the_request(ann: TusClient) -> None:
    path = await ann.begins(6)
    assert (await ann.sends(path, b"abc", 0, Upload_Checksum=checksum(b"abc"))).status == 204
    for algorithm in ("sha1", "sha256"):
        answer = await ann.sends(path, b"dxf", 3, Upload_Checksum=checksum(b"def", algorithm))
        assert answer.status == 460
        assert answer.headers["tus-resumable"] == "1.0.0"
        assert await ann.offset(path) == 3
    assert (await ann.sends(path, b"def", 3, Upload_Checksum=checksum(b"def", "sha1"))).status == 204
    assert await ann.stored(path) == b"abcdef"


async def test_a_request_with_a_checksum_that_breaks_off_keeps_nothing(ann: TusClient) -> None:
    path = await ann.begins(len(CONTENT))
    async with await ann.starts_sending(path, len(CONTENT), CONTENT[:HALF], Upload_Checksum=checksum(CONTENT)):
        await wait_for(lambda: store_of(ann.node).receiving)
    await wait_for(lambda: not store_of(ann.node).receiving)
    assert await ann.offset(path) == 0


async def test_a_file_that_is_too_large_is_refused_at_its_creation(ann: TusClient) -> None:
    answer = await ann.creates((100 << 20) + 1)
    assert (answer.status, answer.error["code"], answer.error["path"]) == (413, "too_large", "length")


async def test_another_users_upload_is_not_there_and_goes_on(ann: TusClient, bob: TusClient) -> None:
    path = await ann.begins(len(CONTENT))
    async with await ann.starts_sending(path, len(CONTENT), CONTENT[:HALF]) as http:
        await wait_for(lambda: store_of(ann.node).receiving)
        for answer in (await bob.looks(path), await bob.removes(path), await bob.sends(path, b"evil", 0)):
            assert answer.status == 404
        await http.send(CONTENT[HALF:])
        assert (await http.response()).status == 204
    assert await ann.stored(path) == CONTENT
    for unknown in ("0" * 32, "..", "%2e%2e%2fblobs", "x" * 300):
        assert (await ann.looks(f"{UPLOADS}/{unknown}")).status == 404


async def test_without_the_permission_nothing_can_be_uploaded(ann: TusClient) -> None:
    await ann.node.call("roles.set", role="member", permissions=["chat"])
    assert (await ann.creates(3)).status == 403
    ann.token = "nobody's"
    assert (await ann.creates(3)).status == 401


async def test_the_cookie_of_another_sites_page_uploads_nothing(ann: TusClient) -> None:
    token, ann.token = ann.token, ""
    cookie = {"Cookie": f"chatnode_session={token}", "Authorization": ""}
    sized = cookie | {"Upload-Length": "3"}
    assert (await ann.asks("POST", UPLOADS, b"", sized)).status == 400  # what a form could send
    assert (await ann.asks("POST", UPLOADS, b"", sized | TUS | {"Origin": "https://evil.example"})).status == 401
    assert (await ann.asks("POST", UPLOADS, b"", sized | TUS)).status == 201
    picture = cookie | {"Content-Type": "image/png"}
    assert (await ann.asks("POST", FILES, b"abc", picture)).status == 400
    assert (await ann.asks("POST", FILES, b"abc", picture | {"Origin": "http://localhost"})).status == 201


# ---- breaking off, taking over, ending


async def test_a_client_that_vanishes_finds_all_that_it_sent(ann: TusClient) -> None:
    path = await ann.begins(len(CONTENT))
    async with await ann.starts_sending(path, len(CONTENT), CONTENT[:HALF]):
        pass
    await wait_for(lambda: not store_of(ann.node).receiving)
    offset = await ann.offset(path)
    assert offset == HALF
    assert (await ann.sends(path, CONTENT[offset:], offset)).status == 204
    assert await ann.stored(path) == CONTENT


@pytest.mark.parametrize("how", ["HEAD", "PATCH", "DELETE"])
async def test_a_later_request_stops_the_one_before(ann: TusClient, how: str) -> None:
    """The client's network changed, and the node does not know yet that the old connection is dead."""
    path = await ann.begins(len(CONTENT))
    async with await ann.starts_sending(path, len(CONTENT), CONTENT[:HALF]) as dead:
        await wait_for(lambda: store_of(ann.node).receiving)
        await trio.sleep(0.2)
        if how == "HEAD":
            assert await ann.offset(path) == HALF
        elif how == "PATCH":
            assert (await ann.sends(path, b"", HALF)).status in (204, 409)
        else:
            assert (await ann.removes(path)).status == 204
            assert (await ann.looks(path)).status == 410
        assert (await dead.response()).status == 423
    if how != "DELETE":
        offset = await ann.offset(path)
        assert (await ann.sends(path, CONTENT[offset:], offset)).status == 204
        assert await ann.stored(path) == CONTENT


async def test_an_upload_that_was_removed_is_gone_and_releases_its_quota(ann: TusClient) -> None:
    path = await ann.begins(1_000)
    await ann.sends(path, b"abc", 0)
    assert await ann.reserved() == 1_000
    assert (await ann.removes(path)).status == 204
    assert await ann.reserved() == 0
    for answer in (await ann.looks(path), await ann.sends(path, b"d", 3), await ann.removes(path)):
        assert (answer.status, answer.headers["tus-resumable"]) == (410, "1.0.0")


async def test_what_is_a_file_already_is_not_removed_with_its_upload(ann: TusClient) -> None:
    path = await ann.begins(3)
    await ann.sends(path, b"abc", 0)
    assert (await ann.removes(path)).status == 409
    assert await ann.stored(path) == b"abc"


async def test_more_uploads_at_a_time_than_allowed_are_asked_to_wait(ann: TusClient) -> None:
    paths = [await ann.begins(10) for _ in range(4)]
    running = [await ann.starts_sending(path, 10, b"x") for path in paths[:3]]
    await wait_for(lambda: store_of(ann.node).receiving == 3)
    answer = await ann.sends(paths[3], b"x", 0)
    assert (answer.status, answer.headers["retry-after"]) == (503, "6")  # what tus clients retry, unlike 429
    for each in running:
        await each.__aexit__()
    await wait_for(lambda: not store_of(ann.node).receiving)
    assert (await ann.sends(paths[3], b"x" * 10, 0)).status == 204


async def test_a_file_whose_node_was_killed_before_it_was_made_is_made_by_the_next_look(ann: TusClient) -> None:
    path = await ann.begins(6)
    await ann.sends(path, b"abc", 0)
    store, id = store_of(ann.node), path.rpartition("/")[2]
    with store.layout.incoming(id).open("ab") as file:
        file.write(b"def")
    await ann.node.core.db.write(
        lambda tx: tx.execute("UPDATE attachments_uploads SET durable = 6 WHERE id = ?", (id,)).rowcount
    )
    store._hashers.clear()  # pyright: ignore[reportPrivateUsage]
    assert await state_of(ann, path) == "open"
    assert await ann.offset(path) == 6
    assert (await state_of(ann, path), await ann.stored(path)) == ("done", b"abcdef")


async def test_a_node_that_stops_keeps_what_came_and_says_so(tmp_path: Path, config: Config) -> None:
    for start in (0, HALF // 2, HALF):
        async with open_node(tmp_path / "data", config, only=PLUGINS) as node:
            async with serving(node) as address:
                if start == 0:
                    ann = await TusClient.signed_in(node, address, "ann")
                    token, path = ann.token, await ann.begins(len(CONTENT))
                else:
                    ann = TusClient(node, address, token, ann.user)
                assert await ann.offset(path) == start
                http = await ann.starts_sending(path, len(CONTENT), CONTENT[start : start + HALF // 2], start)
                await wait_for(lambda node=node: store_of(node).receiving)
                await trio.sleep(0.2)
            answer = await http.response()
            assert (answer.status, answer.error["code"], answer.headers["connection"]) == (503, "unavailable", "close")
            await http.__aexit__()
            await ann.__aexit__()


async def test_a_creation_that_is_refused_holds_no_quota(ann: TusClient) -> None:
    answer = await ann.creates(5, b"hello", Upload_Checksum=checksum(b"other"))
    assert (answer.status, answer.headers.get("location"), await ann.reserved()) == (460, None, 0)

    http = await Http.open(ann.address)  # a client that vanishes before its first byte
    fields = bearer(ann.token) | TUS | BYTES | {"Upload-Length": "500", "Content-Length": "500"}
    await http.send(head("POST", UPLOADS, None, fields))
    await wait_for(lambda: store_of(ann.node).receiving)
    assert await ann.reserved() == 500
    await http.__aexit__()
    await wait_for(lambda: not store_of(ann.node).locks.ids())
    assert await ann.reserved() == 0


async def test_a_creation_that_breaks_off_after_some_bytes_can_be_continued(ann: TusClient) -> None:
    answer = await ann.creates(5, b"hello, and more")
    assert (answer.status, answer.error["code"]) == (413, "too_large")
    path = f"/plugins/attachments/{answer.headers['location']}"
    assert (await ann.offset(path), await ann.stored(path)) == (5, b"hello")
