"""A connection that is used again: each of its requests is judged as the first was."""

from __future__ import annotations

import contextlib

import pytest
import trio

from chatnode.config import Config, Limits, Server
from chatnode.node import Node
from tests.services.dialogue import with_limits

from .clients import Address, ChatSocket, Http, bearer, head, serving

HEALTH = head("GET", "/health")
UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"} | {
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="
}
POST = b"POST /v1/people.me HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def statuses(data: bytes) -> list[int]:
    """Of every response in `data`; none of the bodies looks like one."""
    return [int(each[:3]) for each in data.split(b"HTTP/1.1 ")[1:]]


LATER = {
    "length and chunked": (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HEALTH, [400]),
    "two lengths": (POST + b"Content-Length: 0\r\nContent-Length: 60\r\n\r\n" + HEALTH, [400]),
    "the same length twice": (POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}" + HEALTH, [400]),
    "a list of lengths": (POST + b"Content-Length: 2, 2\r\n\r\n{}" + HEALTH, [400]),
    "encoding unknown": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + HEALTH, [501]),
    "encoding behind a space": (POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + HEALTH, [400]),
    "a folded field": (b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: y\r\n z\r\n\r\n" + HEALTH, [400]),
    "bare line feeds": (HEALTH.replace(b"\r\n", b"\n") + HEALTH, [400]),
    "not ASCII": (b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: \xff\r\n\r\n" + HEALTH, [400]),
    "two hosts": (b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + HEALTH, [400]),
    "no host": (b"GET /health HTTP/1.1\r\n\r\n" + HEALTH, [400]),
    "a method in small letters": (b"get /health HTTP/1.1\r\nHost: localhost\r\n\r\n" + HEALTH, [400]),
    "HTTP/2 with prior knowledge": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", [505]),
    "a preface of HTTP/1.1": (b"PRI * HTTP/1.1\r\nHost: localhost\r\n\r\n" + HEALTH, [505]),
    "a head too large": (b"GET /health HTTP/1.1\r\nX: " + b"y" * 17_000 + b"\r\n\r\n" + HEALTH, [431]),
    "chunks that end in line feeds": (POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\n" + HEALTH, [400]),
    "a chunk longer than it says": (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n" + HEALTH, [400]),
    "an empty line in front": (b"\r\n" + HEALTH + head("GET", "/health", headers={"Connection": "close"}), [200, 200]),
    "a body that looks like a request": (
        head("POST", "/nowhere", HEALTH, {"Connection": "close"}) + HEALTH, [405],
    ),
    "HTTP/1.0": (b"GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + HEALTH, [200]),
}  # fmt: skip


@pytest.mark.parametrize(("data", "answers"), LATER.values(), ids=LATER.keys())
@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
@pytest.mark.parametrize("config", [Config(limits=Limits(head_seconds=1.0), server=Server(shutdown_seconds=1.0))])
async def test_a_request_is_judged_in_the_same_way(
    address: Address, data: bytes, answers: list[int], first: bool
) -> None:
    async with await Http.open(address) as http:
        if not first:
            await http.send(HEALTH)
            assert (await http.response()).status == 200
        await http.send(data)
        assert statuses(await http.rest()) == answers


async def test_http_2_is_never_spoken(address: Address, anns: str) -> None:
    """`Upgrade: h2c` is ignored, as RFC 9110 has it for a protocol that is not wanted."""
    h2c = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"}
    async with await Http.open(address) as http:
        for _ in range(3):
            answer = await http.request("GET", "/v1/people.me", headers=h2c | bearer(anns))
            assert (answer.status, answer.json["person"]["handle"]) == (200, "ann")


async def test_a_websocket_is_opened_on_a_connection_that_was_used_before(address: Address, anns: str) -> None:
    """Proxies that pool connections do so."""
    async with await Http.open(address) as http:
        for _ in range(2):
            assert (await http.get("people.me", anns)).status == 200
        assert (await http.call("people.me", anns)).status == 200
        await http.send(head("GET", "/v1/socket", headers=UPGRADE))
        status, headers, _ = await http.response_head()
        assert (status, headers["upgrade"]) == (101, "websocket")
        chat = ChatSocket(http.stream)
        chat.protocol.state = type(chat.protocol.state).OPEN
        chat.protocol.parser = chat.protocol.parse()
        next(chat.protocol.parser)
        assert (await chat.hello(anns))["me"]["handle"] == "ann"


async def test_an_upgrade_and_a_frame_behind_other_requests_in_one_write(address: Address) -> None:
    ping = b"\x89\x80\0\0\0\0"
    async with await Http.open(address) as http:
        await http.send(HEALTH + head("GET", "/v1/socket", headers=UPGRADE) + ping)
        assert (await http.response()).status == 200
        assert (await http.response_head())[0] == 101
        assert await http.exactly(2) == b"\x8a\x00"


async def test_without_an_upgrade_the_sockets_address_says_what_is_missing(address: Address, anns: str) -> None:
    async with await Http.open(address) as http:
        answer = await http.request("GET", "/v1/socket", headers=bearer(anns))
        assert (answer.status, answer.headers["upgrade"]) == (426, "websocket")
        assert "proxy" in answer.error["message"]


# ---- time


@with_limits(head_seconds=0.5, keep_alive_seconds=0)
async def test_each_head_has_its_time_from_its_first_byte(address: Address) -> None:
    async with await Http.open(address) as http:
        await http.send(HEALTH)
        assert (await http.response()).status == 200
        await trio.sleep(1)  # idle for longer than a head may take
        answer = b""
        async with trio.open_nursery() as nursery:

            async def trickle() -> None:
                with contextlib.suppress(trio.BrokenResourceError):
                    for byte in HEALTH * 100:
                        await http.send(bytes([byte]))
                        await trio.sleep(0.05)

            nursery.start_soon(trickle)
            answer = await http.rest()
            nursery.cancel_scope.cancel()
        assert statuses(answer) == [408]


@with_limits(head_seconds=0, keep_alive_seconds=0.3)
async def test_an_idle_connection_is_ended_without_a_word(address: Address) -> None:
    async with await Http.open(address) as http:
        await http.send(HEALTH)
        await http.response()
        started = trio.current_time()
        assert await http.rest() == b""
        assert 0.2 < trio.current_time() - started < 4


def test_connections_are_kept_for_longer_than_a_proxy_keeps_them() -> None:
    assert Limits().keep_alive_seconds > 60


async def test_a_stopping_node_ends_idle_connections_and_finishes_answers(node: Node) -> None:
    async with serving(node) as address:
        idle, half = await Http.open(address), await Http.open(address)
        await idle.send(HEALTH)
        await idle.response()
        await half.send(HEALTH[:20])
        await trio.sleep(0.05)
    async with idle, half:
        assert (await idle.rest(), await half.rest()) == (b"", b"")


# ---- bodies


@with_limits(body_bytes=1_000)
@pytest.mark.parametrize("size", [1_001, 100_000, 10_000_000])
async def test_a_body_that_is_too_large_is_refused_in_our_words(address: Address, anns: str, size: int) -> None:
    async with await Http.open(address) as http:
        await http.send(head("POST", "/v1/people.me", b"x" * size, {"Content-Type": "application/json"} | bearer(anns)))
        answer = await http.response()
        assert (answer.status, answer.error["code"]) == (413, "too_large")
        assert answer.error["message"] == "the request's body is larger than 1000 bytes"


async def test_what_a_refused_request_leaves_unread_is_no_request(address: Address) -> None:
    """The answer comes before the body was read; the connection is kept, or ended if there is too much of it."""
    async with await Http.open(address) as http:
        for _ in range(3):
            await http.send(head("POST", "/nowhere", HEALTH * 20) + HEALTH * 20)
            assert (await http.response()).status == 405
        await http.send(head("POST", "/nowhere", b"x" * 10_000_000))
        answer = await http.response()
        assert (answer.status, answer.headers["connection"]) == (405, "close")
