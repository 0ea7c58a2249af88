"""A file in one request."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import Any

import pytest

from tests.plugins.attachments.store.storing import rows, store_of
from tests.plugins.attachments.uploading.tus_client import FILES, TusClient
from tests.transport.clients import Http, bearer, head, wait_for

PLAIN = {"Content-Type": "text/plain"}


def digest(data: bytes) -> dict[str, str]:
    return {"Repr-Digest": f"sha-256=:{b64encode(hashlib.sha256(data).digest()).decode()}:"}


async def left(client: TusClient) -> tuple[Any, ...]:
    """Files, uploads in progress, and bytes that are reserved for these."""
    (found,) = await rows(
        client.node,
        "SELECT (SELECT count(*) FROM attachments_files), "
        "(SELECT count(*) FROM attachments_uploads WHERE state IN ('open', 'finishing')), "
        "(SELECT coalesce(sum(reserved), 0) FROM attachments_usage)",
    )
    return found


async def test_a_file_is_stored_and_described(ann: TusClient) -> None:
    answer = await ann.asks("POST", f"{FILES}?name=notes%0a.txt", b"hello", PLAIN | digest(b"hello"))
    assert answer.status == 201
    file = answer.json["file"]
    assert (file["name"], file["bytes"], file["sha256"]) == ("notes.txt", 5, hashlib.sha256(b"hello").hexdigest())
    assert answer.headers["location"] == f"files/{file['id']}"
    assert await ann.stored(file["id"]) == b"hello"
    assert await left(ann) == (1, 0, 0)


async def test_a_file_may_have_no_name_and_no_bytes(ann: TusClient) -> None:
    answer = await ann.asks("POST", FILES, b"")
    assert (answer.status, answer.json["file"]["name"], answer.json["file"]["bytes"]) == (201, "file", 0)


async def test_what_is_refused_leaves_nothing(ann: TusClient) -> None:
    wrong = digest(b"other")
    for headers, status, path in (
        (PLAIN | wrong, 400, "Repr-Digest"),
        (PLAIN | {"Repr-Digest": "sha-256=:YQ==:"}, 400, "Repr-Digest"),
        (PLAIN | {"Repr-Digest": "sha-256=YQ=="}, 400, "Repr-Digest"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415, "Content-Type"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415, "Content-Type"),
    ):
        answer = await ann.asks("POST", FILES, b"hello", headers)
        assert (answer.status, answer.error["path"]) == (status, path)
    assert (await ann.asks("POST", FILES, b"hello", PLAIN | {"Repr-Digest": "sha-512=:YQ==:"})).status == 201
    assert await left(ann) == (1, 0, 0)


async def test_without_a_length_it_is_refused_before_it_is_read(ann: TusClient) -> None:
    async with await Http.open(ann.address) as http:
        await http.send(head("POST", FILES, None, bearer(ann.token) | {"Transfer-Encoding": "chunked"}))
        answer = await http.response()
        assert (answer.status, answer.headers["connection"]) == (411, "close")


async def test_one_that_is_too_large_is_refused_before_it_is_read(ann: TusClient) -> None:
    async with await Http.open(ann.address) as http:
        fields = bearer(ann.token) | {"Content-Length": str(101 << 20), "Expect": "100-continue"}
        await http.send(head("POST", FILES, None, fields))
        answer = await http.response()
        assert (answer.status, answer.error["code"], answer.headers["connection"]) == (413, "too_large", "close")
    assert await left(ann) == (0, 0, 0)


@pytest.mark.parametrize("headers", [{}, digest(b"x" * 100)], ids=["plain", "with a digest"])
async def test_a_client_that_vanishes_leaves_nothing(ann: TusClient, headers: dict[str, str]) -> None:
    async with await Http.open(ann.address) as http:
        await http.send(head("POST", FILES, None, bearer(ann.token) | {"Content-Length": "100"} | headers) + b"x" * 50)
        await wait_for(lambda: store_of(ann.node).receiving)
    await wait_for(lambda: not store_of(ann.node).receiving and not store_of(ann.node).locks.ids())
    assert await left(ann) == (0, 0, 0)


async def test_the_type_of_a_file_says_nothing_of_others_with_the_same_content(ann: TusClient, bob: TusClient) -> None:
    async def type_of(who: TusClient, name: str, content: bytes) -> str:
        return (await who.asks("POST", f"{FILES}?name={name}", content, PLAIN)).json["file"]["type"]

    assert await type_of(ann, "salaries.csv", b"a,b\n1,2\n") == "text/csv"
    assert await type_of(bob, "x", b"a,b\n1,2\n") == await type_of(bob, "x", b"a,b\n1,3\n") == "text/plain"
