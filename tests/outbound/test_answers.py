"""Answers: what is sent, what is read of them, and what of a hostile server's is given up. Time is a mocked clock's."""

from __future__ import annotations

import gzip
import time
from collections.abc import AsyncGenerator, Iterator
from email.utils import formatdate
from functools import partial

import attrs
import pytest
import trio
import trio.testing

from chatnode.outbound.answers import CHUNKS_AT_ONCE, read_body
from chatnode.outbound.breakers import read_retry_after
from chatnode.outbound.connect import MOST_INFORMATIONAL
from chatnode.outbound.errors import Blocked, BodyTooLarge, Failed, TimedOut, Unwanted
from chatnode.outbound.hops import first_hop
from tests.outbound.sites import Script, answer, answers, drop, outbound, purpose, site

SMALL = purpose(most_bytes=1_000)


# ---- what is sent


async def test_a_request_is_sent_as_it_was_given() -> None:
    async with site() as there, outbound(there.place) as client:
        answered = await client.request(
            purpose(), "POST", there.url("/a b".replace(" ", "%20") + "?c=d#e"),
            headers=[("Content-Type", "text/plain"), ("X-Own", "1")], body=b"hello",
        )  # fmt: skip
        assert (answered.status, answered.body, answered.address) == (200, b"ok", "127.0.0.1")
        assert answered.url == there.url("/a%20b?c=d")
        assert answered.headers == {"content-length": "2"}
        head, _, body = there.requests[0].partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        assert first == "POST /a%20b?c=d HTTP/1.1"
        assert sorted(lines) == [
            "Accept-Encoding: identity", "Accept: */*", "Content-Length: 5", "Content-Type: text/plain",
            f"Host: {there.place}", "User-Agent: chatnode", "X-Own: 1",
        ]  # fmt: skip
        assert body == b"hello"


async def test_defaults_give_way_and_framing_headers_cannot_be_set() -> None:
    async with site() as there, outbound(there.place) as client:
        await client.request(purpose(), "GET", there.url(), headers=[("accept", "a/b"), ("user-agent", "c")])
        sent = there.requests[0].lower()
        assert b"accept: a/b" in sent
        assert b"user-agent: c" in sent
        assert b"*/*" not in sent
        assert b"content-length" not in sent
        for name in ("Host", "content-LENGTH", "Transfer-Encoding", "Connection", "Accept-Encoding", "Upgrade"):
            with pytest.raises(Blocked, match=name):
                await client.request(purpose(), "GET", there.url(), headers=[(name, "x")])
        for name, value in (("X", "a\r\nY: b"), ("X", "a\0"), ("X Y", "a"), ("X:", "a"), ("X", "ä"), ("", "a")):
            with pytest.raises(Blocked, match="header"):
                await client.request(purpose(), "GET", there.url(), headers=[(name, value)])
        with pytest.raises(ValueError, match="CONNECT"):
            await client.request(purpose(), "CONNECT", there.url())
        assert len(there.requests) == 1


@pytest.mark.parametrize("host", ["::1", "127.0.0.1"])
async def test_both_families_are_spoken(host: str) -> None:
    async with site(host=host) as there, outbound(there.place) as client:
        assert (await client.request(purpose(), "GET", there.url())).address == host
        assert f"Host: {there.place}".encode() in there.requests[0]


async def test_the_next_address_is_tried_if_the_first_does_not_answer() -> None:
    async with site() as there:
        names = {"a.example": ["127.0.0.9", "127.0.0.1"]}
        async with outbound(f"a.example:{there.port}", names=names) as client:
            assert (await client.request(purpose(), "GET", there.url(host="a.example"))).address == "127.0.0.1"
        async with outbound(f"a.example:{there.port}", names={"a.example": ["127.0.0.9"]}) as client:
            with pytest.raises(Failed, match="refuses connections"):
                await client.request(purpose(), "GET", there.url(host="a.example"))


# ---- redirects


async def test_redirects_are_followed_by_hand_and_only_as_many_as_allowed() -> None:
    script = answers(
        answer(status=302, location="/second"), answer(status=301, location="third?x"), answer(b"there"),
    )  # fmt: skip
    async with site(script) as there, outbound(there.place) as client:
        answered = await client.request(purpose(redirects=2), "GET", there.url("/first"))
        assert (answered.url, answered.body) == (there.url("/third?x"), b"there")
    script = answers(answer(b"moved", status=302, location="/second"))
    async with site(script) as there, outbound(there.place) as client:
        for most in (0, 3):
            answered = await client.request(purpose(redirects=most), "GET", there.url("/first"))
            assert (answered.status, answered.body) == (302, b"moved")
        assert len(there.requests) == 1 + 4


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "POST", "GET"), (302, "POST", "GET"), (303, "POST", "GET"), (303, "PUT", "GET"), (307, "POST", "POST"),
        (308, "POST", "POST"), (301, "PUT", "PUT"), (303, "HEAD", "HEAD"),
    ],
)  # fmt: skip
async def test_what_becomes_of_method_and_body(status: int, method: str, then: str) -> None:
    body = b"" if method == "HEAD" else b"text"
    async with site(answers(answer(status=status, location="/b"), answer())) as there, outbound(there.place) as client:
        headers = [("Authorization", "x"), ("Content-Type", "text/plain")]
        await client.request(purpose(redirects=1), method, there.url("/a"), headers=headers, body=body)
        second = there.requests[1]
        assert second.startswith(f"{then} /b ".encode())
        assert second.endswith(b"\r\n\r\n" + (body if then == method else b""))
        assert b"Authorization: x" in second
        assert (b"Content-Type" in second) == (then == method)


async def test_another_origin_gets_neither_credentials_nor_a_body() -> None:
    headers = [("Authorization", "s3cret"), ("Cookie", "s3cret"), ("webhook-signature", "s3cret"), ("Accept", "a/b")]
    async with site() as other:
        async with site(answers(answer(status=302, location=other.url()))) as there:
            async with outbound(there.place, other.place) as client:
                await client.request(purpose(redirects=1), "POST", there.url(), headers=headers, body=b"s3cret")
        assert b"s3cret" not in other.requests[0]
        assert b"Accept: a/b" in other.requests[0]
        async with site(answers(answer(status=307, location=other.url()))) as there:
            async with outbound(there.place, other.place) as client:
                answered = await client.request(purpose(redirects=1), "POST", there.url(), body=b"s3cret")
                assert answered.status == 307
        assert len(other.requests) == 1


# ---- what is read


async def test_a_type_that_is_not_wanted_is_not_read() -> None:
    html = purpose(types=("text/html",))
    script = answers(
        answer(b"x", content_type="Text/HTML; charset=utf-8"), answer(b"x", content_type="image/png"), answer(b"x"),
        answer(b"x", content_type="image/png", status=404), answer(b""),
    )  # fmt: skip
    async with site(script) as there, outbound(there.place) as client:
        assert (await client.request(html, "GET", there.url())).body == b"x"
        for _ in range(2):
            with pytest.raises(Unwanted, match="type"):
                await client.request(html, "GET", there.url())
        answered = await client.request(html, "GET", there.url())
        assert (answered.status, answered.body) == (404, b"")
        assert (await client.request(html, "GET", there.url())).body == b""


async def test_compressed_answers_are_refused() -> None:
    bomb = gzip.compress(bytes(1 << 20))
    for encoding in ("gzip", "br", "deflate, gzip", "GZIP", "identity, gzip"):
        async with site(answers(answer(bomb, content_encoding=encoding))) as there, outbound(there.place) as client:
            with pytest.raises(Unwanted, match="compressed"):
                await client.request(purpose(), "GET", there.url())
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" + bomb
    async with site(answers(chunked)) as there, outbound(there.place) as client:
        with pytest.raises(Failed, match=r"HTTP/1\.1"):
            await client.request(purpose(), "GET", there.url())
    async with site(answers(answer(b"x", content_encoding="identity"))) as there, outbound(there.place) as client:
        assert (await client.request(purpose(), "GET", there.url())).body == b"x"


async def endless(stream: trio.abc.Stream, request: bytes) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await stream.send_all(b"400\r\n" + b"x" * 1_024 + b"\r\n")


async def until_closed(stream: trio.abc.Stream, request: bytes) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while True:
        await stream.send_all(b"x" * 1_024)


async def says_ten_gigabytes(stream: trio.abc.Stream, request: bytes) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
    await drop(stream)


@pytest.mark.parametrize("script", [endless, until_closed, says_ten_gigabytes])
async def test_a_body_without_end_is_given_up(script: Script) -> None:
    async with site(script) as there, outbound(there.place) as client:
        with pytest.raises(BodyTooLarge, match="1000 bytes"):
            await client.request(SMALL, "GET", there.url())
        await there.wait_closed()


async def test_a_body_of_exactly_the_limit_is_read() -> None:
    async with site(answers(answer(b"x" * 1_000), answer(b"x" * 1_001))) as there, outbound(there.place) as client:
        assert len((await client.request(SMALL, "GET", there.url())).body) == 1_000
        with pytest.raises(BodyTooLarge):
            await client.request(SMALL, "GET", there.url())


async def test_a_long_body_is_cut_where_the_purpose_says_so() -> None:
    cut = attrs.evolve(SMALL, cut=True)
    for script in (endless, until_closed, answers(answer(b"x" * 5_000))):
        async with site(script) as there, outbound(there.place) as client:
            assert (await client.request(cut, "GET", there.url())).body == b"x" * 1_000


async def test_the_status_of_a_failure_is_told_whatever_its_body() -> None:
    script = answers(
        answer(b"x" * 5_000, status=410), answer(b"x", status=503, content_encoding="gzip"),
        answer(b"too many", status=429),
    )  # fmt: skip
    async with site(script) as there, outbound(there.place) as client:
        told = [await client.request(SMALL, "POST", there.url()) for _ in range(3)]
        assert [(each.status, len(each.body)) for each in told] == [(410, 1_000), (503, 0), (429, 8)]


def in_chunks(size: int, count: int) -> bytes:
    chunk = f"{size:x}\r\n".encode() + b"x" * size + b"\r\n"
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * count + b"0\r\n\r\n"


async def test_a_body_of_tiny_chunks_is_given_up() -> None:
    script = answers(in_chunks(1, 900), in_chunks(20, 5_000), in_chunks(1, 2_000))
    long = purpose(most_bytes=1 << 20)
    async with site(script) as there, outbound(there.place) as client:
        for size in (900, 100_000):
            assert (await client.request(long, "GET", there.url())).body == b"x" * size
        with pytest.raises(Failed, match="too many small pieces"):
            await client.request(long, "GET", there.url())
        await there.wait_closed()


async def test_others_have_their_turn_between_the_chunks_of_one_read() -> None:
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    class AtHand:
        """A body whose chunks have all arrived."""

        def __init__(self) -> None:
            self.status = 200
            self.headers: dict[str, str] = {}

        async def chunks(self) -> AsyncGenerator[bytes]:
            for _ in range(1_000):
                yield b"x"

        async def aclose(self) -> None: ...

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take_turns)
        assert await read_body(AtHand(), purpose(), first_hop("GET", "http://a.example/", (), b"")) == b"x" * 1_000
        assert turns >= 1_000 // CHUNKS_AT_ONCE // 2
        nursery.cancel_scope.cancel()


async def test_early_hints_are_skipped_and_not_without_end() -> None:
    hint = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    script = answers(*[hint * MOST_INFORMATIONAL + answer(b"ok")] * 2, hint * (MOST_INFORMATIONAL + 1) + answer(b"ok"))
    async with site(script) as there, outbound(there.place) as client:
        for _ in range(2):
            assert (await client.request(purpose(), "GET", there.url())).body == b"ok"
        assert there.connections == 1
        with pytest.raises(Failed, match=r"HTTP/1\.1"):
            await client.request(purpose(), "GET", there.url())
        await there.wait_closed()


async def test_a_head_of_thousands_of_fields_is_given_up() -> None:
    few, many = b"X: y\r\n" * 400, b"X:\r\n" * 6_000
    script = answers(
        b"HTTP/1.1 200 OK\r\n" + few + b"Content-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n" + many + b"Content-Length: 2\r\n\r\nok",
        b"HTTP/1.1 103 Early Hints\r\n" + many + b"\r\n" + answer(b"ok"),
    )
    async with site(script) as there, outbound(there.place) as client:
        assert (await client.request(purpose(), "GET", there.url())).headers["x"] == ", ".join(["y"] * 400)
        for _ in range(2):
            with pytest.raises(Failed, match=r"HTTP/1\.1"):
                await client.request(purpose(), "GET", there.url())


@pytest.mark.parametrize(
    "said",
    [
        b"", b"HTTP/9 nonsense\r\n\r\n", b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/1.1 200 OK\r\nA" + b"a" * 100_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    ],
)  # fmt: skip
async def test_what_is_not_http_fails(said: bytes) -> None:
    async def say_and_close(stream: trio.abc.Stream, request: bytes) -> None:
        await stream.send_all(said)
        await stream.aclose()

    async with site(say_and_close) as there, outbound(there.place) as client:
        with pytest.raises(Failed) as failed:
            await client.request(purpose(), "GET", there.url())
        assert type(failed.value) is Failed
        assert client.idle == 0


# ---- time


async def test_a_server_that_never_answers_is_given_up_after_ten_seconds(mock_clock: trio.testing.MockClock) -> None:
    async def silent(stream: trio.abc.Stream, request: bytes) -> None:
        mock_clock.jump(10.1)
        await drop(stream)

    async with site(silent) as there, outbound(there.place) as client:
        with pytest.raises(TimedOut, match="did not answer within 10 s"):
            await client.request(purpose(seconds=60), "GET", there.url())
        await there.wait_closed()


async def test_a_head_by_single_bytes_is_given_up(mock_clock: trio.testing.MockClock) -> None:
    async def drip(stream: trio.abc.Stream, request: bytes) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nx-" + b"a" * 1_000:
            await stream.send_all(bytes([byte]))
            mock_clock.jump(1.0)
            await trio.testing.wait_all_tasks_blocked()

    async with site(drip) as there, outbound(there.place) as client:
        with pytest.raises(TimedOut):
            await client.request(purpose(seconds=60), "GET", there.url())
        await there.wait_closed()


async def test_early_hints_without_end_are_given_up(mock_clock: trio.testing.MockClock) -> None:
    async def hint(stream: trio.abc.Stream, request: bytes) -> None:
        while True:
            await stream.send_all(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            mock_clock.jump(1.0)
            await trio.testing.wait_all_tasks_blocked()

    async with site(hint) as there, outbound(there.place) as client:
        with pytest.raises(TimedOut):
            await client.request(purpose(seconds=60), "GET", there.url())


async def test_a_body_slower_than_a_kibibyte_a_second_is_given_up(mock_clock: trio.testing.MockClock) -> None:
    sent = 0

    async def drip(stream: trio.abc.Stream, request: bytes) -> None:
        nonlocal sent
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
        while True:
            await stream.send_all(b"x" * 100)
            sent += 100
            mock_clock.jump(1.0)
            await trio.testing.wait_all_tasks_blocked()

    async with site(drip) as there, outbound(there.place) as client:
        with pytest.raises(TimedOut, match="too slowly"):
            await client.request(purpose(seconds=600), "GET", there.url())
        await there.wait_closed()
    assert 400 <= sent <= 800


async def test_a_body_that_is_fast_enough_is_read_and_the_whole_time_still_ends_it(
    mock_clock: trio.testing.MockClock,
) -> None:
    async def steady(stream: trio.abc.Stream, request: bytes) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 30000\r\n\r\n")
        for _ in range(15):
            await stream.send_all(b"x" * 2_000)
            mock_clock.jump(1.0)
            await trio.testing.wait_all_tasks_blocked()

    long = purpose(most_bytes=30_000, seconds=60)
    async with site(steady) as there, outbound(there.place) as client:
        assert len((await client.request(long, "GET", there.url())).body) == 30_000
        with pytest.raises(TimedOut, match="took longer than 8 s"):
            await client.request(purpose(most_bytes=30_000, seconds=8), "GET", there.url())


async def test_redirects_share_the_time(mock_clock: trio.testing.MockClock) -> None:
    async def around(stream: trio.abc.Stream, request: bytes) -> None:
        mock_clock.jump(4.0)
        await stream.send_all(answer(status=302, location="/again"))

    async with site(around) as there, outbound(there.place) as client:
        with pytest.raises(TimedOut, match="took longer than 15 s"):
            await client.request(purpose(redirects=50), "GET", there.url())
        assert len(there.requests) == 4


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7.0), (" 120 ", 120.0), ("99999999999999999999", 3_600.0), ("", None), ("soon", None), ("-5", None),
     ("1.5", None), ("٣", None), ("Mon, 01 Jan 2001 00:00:00 GMT", 0.0), ("Fri, 01 Jan 2100 00:00:00 GMT", 3_600.0),
     ("Mon, 01 Jan 2024 00:00:00 +99999999999999999999", None),
     ("Mon, 99999999999999999999 Jan 2024 00:00:00 GMT", None)],
)  # fmt: skip
def test_retry_after_is_read(text: str, seconds: float | None) -> None:
    assert read_retry_after(text) == seconds


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with another time zone than UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("tokyo")
def test_retry_after_may_be_a_date_without_a_zone() -> None:
    wait = read_retry_after(formatdate(time.time() + 100, usegmt=False))
    assert wait is not None
    assert 90 < wait <= 100


def test_retry_after_has_the_bound_of_its_reader() -> None:
    assert read_retry_after("9" * 5_000, 86_400.0) == 86_400.0


def test_retry_after_may_be_a_date() -> None:
    wait = read_retry_after(formatdate(time.time() + 100, usegmt=True))
    assert wait is not None
    assert 90 < wait <= 100


async def test_a_large_body_is_sent_whole_and_an_early_answer_is_heard() -> None:
    async with site(answers(answer(b"ok"))) as there, outbound(there.place) as client:
        for size in (0, 1, 65_535, 65_536, 3_000_000):
            await client.request(purpose(), "POST", there.url(), body=b"x" * size)
            assert there.requests[-1].endswith(b"\r\n\r\n" + b"x" * size)

    async def refuse_at_once(stream: trio.SocketStream) -> None:
        await stream.receive_some(1)
        await stream.send_all(answer(b"too much", status=413, connection="close"))
        await stream.send_eof()
        while await stream.receive_some():
            pass

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, refuse_at_once, 0, host="127.0.0.1"))
        place = f"127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        async with outbound(place) as client:
            answered = await client.request(purpose(), "POST", f"http://{place}/", body=b"x" * 3_000_000)
            assert (answered.status, answered.body) == (413, b"too much")
        nursery.cancel_scope.cancel()
