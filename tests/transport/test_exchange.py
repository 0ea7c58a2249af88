"""ASGI applications of every kind on our HTTP: what they see, and that none of them holds a connection up."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import h11
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from chatnode.addresses import Bind
from chatnode.config import Config, Limits, Server
from chatnode.transport.exchange import ClientGone, HttpServer
from chatnode.transport.head import Head, parse_head
from chatnode.transport.listener import Connection, Handler, Listener, listen
from chatnode.transport.response import ResponseWriter

from .clients import PATIENCE, Address, Http, address_of, head, wait_for

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
BODY = {"type": "http.response.body", "body": b"ok"}
STREAM = {"type": "http.response.start", "status": 200, "headers": []}


def part(data: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[Address]:
    """An application on a port of its own."""
    http = HttpServer(lambda: app)
    async with serving_with(http, http.serve) as address:
        yield address


@asynccontextmanager
async def serving_with(http: HttpServer, serve: Handler) -> AsyncIterator[Address]:
    config = Config(server=Server(shutdown_seconds=1.0), limits=Limits(head_seconds=2.0))
    stopping = trio.Event()
    listener = Listener(config, None, serve, serve, http.stop)
    async with trio.open_nursery() as nursery:
        sockets = listen(Bind("127.0.0.1", 0))
        await nursery.start(listener.serve, sockets, stopping)
        yield address_of(f"http://127.0.0.1:{sockets[0].getsockname()[1]}")
        stopping.set()


@asynccontextmanager
async def asking(app: Any, **options: Any) -> AsyncIterator[Http]:
    """A connection to an application."""
    async with serving(app) as address, await Http.open(address, **options) as http:
        yield http


async def body_of(receive: Callable[[], Any]) -> bytes:
    body = b""
    while True:
        message = await receive()
        assert message["type"] == "http.request"
        body += message["body"]
        if not message["more_body"]:
            return body


# ---- requests


async def test_an_application_sees_the_request() -> None:
    seen: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope | {"body": await body_of(receive)})
        await send(START)
        await send(BODY)

    async with asking(app) as http:
        await http.request("POST", "/a%20b/%C3%A9?x=%20y", b"abc", {"X-Two": "1"})
        chunks = head("PUT", "http://localhost/x?y", None, {"Transfer-Encoding": "chunked", "Connection": "close"})
        await http.send(chunks + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
        assert (await http.response()).body == b"ok"
        assert await http.rest() == b""
    first, second = seen
    assert (first["type"], first["method"], first["http_version"], first["scheme"]) == ("http", "POST", "1.1", "http")
    assert (first["path"], first["raw_path"], first["query_string"]) == ("/a b/é", b"/a%20b/%C3%A9", b"x=%20y")
    assert (b"x-two", b"1") in first["headers"]
    assert first["client"][0] == first["server"][0] == "127.0.0.1"
    assert first["body"] == second["body"] == b"abc"
    assert (second["path"], second["query_string"]) == ("/x", b"y")


async def test_a_body_comes_as_fast_as_it_is_taken() -> None:
    """What the application does not ask for stays with the client."""
    size = 50_000_000
    taken = 0
    go_on = trio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal taken
        while (message := await receive())["more_body"]:
            taken += len(message["body"])
            if taken > 100_000:
                await go_on.wait()
        taken += len(message["body"])
        await send(START)
        await send(BODY)

    async with asking(app) as http:
        sent = 0
        await http.send(head("POST", "/", b"", {"Content-Length": str(size)}))
        with trio.move_on_after(0.5):
            while sent < size:
                await http.stream.send_all(bytes(100_000))
                sent += 100_000
        assert sent < size / 2
    go_on.set()


async def test_who_may_not_send_yet_is_told_to_when_the_body_is_wanted() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/wanted":
            await body_of(receive)
        await send(START)
        await send(BODY)

    async with asking(app) as http:
        expect = {"Expect": "100-continue"}
        await http.send(head("POST", "/wanted", b"abc", expect))
        assert (await http.response_head())[0] == 100
        await http.send(b"abc")
        assert (await http.response()).status == 200
        await http.send(head("POST", "/unwanted", b"abc", expect))
        answer = await http.response()
        assert (answer.status, answer.headers["connection"]) == (200, "close")  # whether a body follows is not known


async def test_a_malformed_body_is_a_disconnect_and_the_client_is_told() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while not seen or seen[-1] == "http.request":
            seen.append((await receive())["type"])

    async with asking(app) as http:
        await http.send(head("POST", "/", None, {"Transfer-Encoding": "chunked"}) + b"1\r\nx\r\nzz\r\n")
        answer = await http.response()
        assert (answer.status, answer.headers["connection"]) == (400, "close")
    assert seen[-1] == "http.disconnect"


# ---- answers before the body was read


@pytest.mark.parametrize("size", [20, 60_000, 70_000, 5_000_000])
@pytest.mark.parametrize("late", [0, 0.1], ids=["at once", "after a while"])
async def test_an_application_that_reads_no_body_holds_nothing_up(size: int, late: float) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await trio.sleep(late)
        await send(START)
        await send(BODY)

    async with asking(app) as http:
        for _ in range(2):
            with trio.fail_after(PATIENCE), contextlib.suppress(trio.BrokenResourceError):
                await http.send(head("POST", "/", b"", {"Content-Length": str(size)}))
                for _ in range(20):
                    await http.send(bytes(size // 20))
                    await trio.sleep(0.001)
            answer = await http.response()
            assert answer.body == b"ok"
            if "connection" in answer.headers:
                assert size > 65_536
                await http.rest()
                return
        assert size < 65_536


# ---- responses


async def test_the_head_of_a_stream_comes_before_its_body() -> None:
    go_on = trio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(STREAM)
        await go_on.wait()
        await send(part(b"one"))
        await send(part(b"", more=True))
        await send(part(b"two", more=False))

    async with asking(app) as http:
        await http.send(head("GET", "/"))
        status, headers, _ = await http.response_head()
        assert (status, headers["transfer-encoding"]) == (200, "chunked")
        go_on.set()
        assert [await http.chunk() for _ in range(3)] == [b"one", b"two", b""]


async def test_a_send_can_be_cancelled_and_nothing_follows_it() -> None:
    outcome: list[object] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(STREAM)
        with trio.move_on_after(0.2) as scope_:
            while True:
                await send(part(bytes(1_000_000)))
        outcome.append(scope_.cancelled_caught)
        with pytest.raises(RuntimeError):
            await send(part(b"and more"))

    async with asking(app, receive_buffer=4_096) as http:
        await http.send(head("GET", "/"))
        await trio.sleep(0.5)
        assert b"and more" not in await http.rest()
    assert outcome == [True]


async def test_a_client_that_goes_away_is_seen_by_who_receives_and_by_who_sends() -> None:
    seen: list[str] = []
    done = trio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await body_of(receive)
        await send(STREAM)
        if scope["path"] == "/receives":
            seen.append((await receive())["type"])
            seen.append((await receive())["type"])  # and again, at once
        else:
            try:
                while True:
                    await send(part(bytes(100_000)))
            except ClientGone:
                seen.append("gone")
        done.set()

    for path in ("/receives", "/sends"):
        async with serving(app) as address:
            async with await Http.open(address) as http:
                await http.send(head("GET", path))
                await http.response_head()
            with trio.fail_after(PATIENCE):
                await done.wait()
            done = trio.Event()
    assert seen == ["http.disconnect", "http.disconnect", "gone"]


async def test_waiting_for_the_client_ends_with_the_response() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await body_of(receive)
        async with trio.open_nursery() as nursery:

            async def watch() -> None:
                assert (await receive())["type"] == "http.disconnect"

            nursery.start_soon(watch)
            await trio.sleep(0.05)
            await send(START)
            await send(BODY)

    async with asking(app) as http:
        await http.send(head("GET", "/") * 3)  # two wait in line meanwhile, and are not lost
        assert [(await http.response()).body for _ in range(3)] == [b"ok"] * 3


async def test_an_application_that_fails_is_a_500_and_ends_the_connection() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await {
            "/nothing": trio.lowlevel.checkpoint,
            "/wrong": lambda: send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"a\r\nb: c")]}),
            "/early": lambda: send(BODY),
            "/status": lambda: send({"type": "http.response.start", "status": 101}),
        }[scope["path"]]()

    async with serving(app) as address:
        for path in ("/nothing", "/wrong", "/early", "/status", "/unknown"):
            async with await Http.open(address) as http:
                answer = await http.request("GET", path)
                assert (answer.status, answer.error["code"]) == (500, "internal"), path
                assert await http.rest() == b""


@pytest.mark.parametrize("messages", [[part(b"o")], [part(b"okay")], [part(b"o", more=False)]])
async def test_a_response_of_another_length_than_it_says_ends_the_connection(messages: list[Any]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        for message in messages:
            await send(message)

    async with asking(app) as http:
        await http.send(head("GET", "/"))
        answer = await http.rest()
        assert not answer.endswith(b"okay")


# ---- how the application is made


async def ok(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(BODY)


class Maker:
    """Makes the application as slowly as it is told to, and as often as it is asked to."""

    def __init__(self) -> None:
        self.calls = 0
        self.go_on = threading.Event()

    def __call__(self) -> Any:
        self.calls += 1
        assert self.go_on.wait(PATIENCE)
        return ok


async def get(address: Address, statuses: list[int]) -> None:
    async with await Http.open(address) as http:
        statuses.append((await http.request("GET", "/")).status)


async def test_the_application_is_made_once_for_all_requests_that_wait_for_it() -> None:
    make, statuses = Maker(), list[int]()
    http = HttpServer(make)
    async with serving_with(http, http.serve) as address, trio.open_nursery() as nursery:
        assert make.calls == 0
        for _ in range(3):
            nursery.start_soon(get, address, statuses)
        await wait_for(lambda: make.calls)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert statuses == []
        make.go_on.set()
        await wait_for(lambda: len(statuses) == 3)
    assert (make.calls, statuses) == (1, [200, 200, 200])


@pytest.mark.parametrize("cancelled", [0, 1], ids=["makes it", "waits for it"])
async def test_a_cancelled_request_leaves_the_application_to_the_others(cancelled: int) -> None:
    make, statuses, scopes = Maker(), list[int](), list[trio.CancelScope]()
    http = HttpServer(make)

    async def serve(connection: Connection, head: Head) -> bool:
        scopes.append(trio.CancelScope())
        with scopes[-1]:
            return await http.serve(connection, head)
        return False

    async with serving_with(http, serve) as address, trio.open_nursery() as nursery:
        gone = [await Http.open(address) for _ in range(2)]
        for number, each in enumerate(gone, 1):
            await each.send(head("GET", "/"))
            await wait_for(lambda number=number: make.calls and len(scopes) == number)
        nursery.start_soon(get, address, statuses)
        await wait_for(lambda: len(scopes) == 3)
        scopes[cancelled].cancel()
        make.go_on.set()
        assert (await gone[1 - cancelled].response()).status == 200
        await wait_for(lambda: statuses)
        for each in gone:
            await trio.aclose_forcefully(each.stream)
    assert (make.calls, statuses) == (1, [200])


async def test_an_application_that_is_made_after_the_node_stopped_is_asked_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    make = Maker()
    http = HttpServer(make)

    async def let_go_on_after_the_end(client: Http) -> None:
        await client.rest()
        make.go_on.set()

    async with trio.open_nursery() as nursery, serving_with(http, http.serve) as address:
        client = await Http.open(address)
        await client.send(head("GET", "/"))
        await wait_for(lambda: make.calls)
        nursery.start_soon(let_go_on_after_the_end, client)
    await trio.aclose_forcefully(client.stream)
    assert caplog.text == ""


async def test_an_application_that_cannot_be_made_is_a_503_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    failures = [ModuleNotFoundError("No module named 'quart'"), OSError(24, "Too many open files")]

    def make() -> Any:
        if failures:
            raise failures.pop(0)
        return ok

    http = HttpServer(make)
    async with serving_with(http, http.serve) as address:
        for cause in ("No module named 'quart'", "Too many open files"):
            caplog.clear()
            async with await Http.open(address) as client:
                answer = await client.request("GET", "/")
                assert (answer.status, answer.error["code"], answer.error["temporary"]) == (503, "unavailable", True)
                assert await client.rest() == b""
            assert cause in caplog.text
        statuses: list[int] = []
        await get(address, statuses)
        assert statuses == [200]


# ---- against h11

RESPONSES = st.tuples(
    st.sampled_from([b"GET", b"HEAD", b"POST"]),
    st.sampled_from(["1.0", "1.1"]),
    st.sampled_from([200, 204, 304, 404, 599]),
    st.lists(st.binary(max_size=5), min_size=1, max_size=4),
    st.booleans(),
)


@given(RESPONSES)
def test_what_we_answer_h11_reads(given_: tuple[bytes, str, int, list[bytes], bool]) -> None:
    method, version, status, parts, sized = given_
    raw = method + b" / HTTP/" + version.encode() + b"\r\nHost: a\r\n\r\n"
    writer = ResponseWriter(parse_head(raw))
    fields = [(b"X-Y", b"z")] + ([(b"content-length", b"%d" % len(b"".join(parts)))] if sized else [])
    data = writer.write({"type": "http.response.start", "status": status, "headers": fields})
    for number, each in enumerate(parts, 1):
        data += writer.write(part(each, more=number < len(parts)))
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(data)
    if not writer.keep_alive:
        client.receive_data(b"")
    response, body = client.next_event(), b""
    assert isinstance(response, h11.Response)
    while isinstance(event := client.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert response.status_code == status
    assert dict(response.headers)[b"x-y"] == b"z"
    assert b"date" in dict(response.headers)
    assert body == (b"" if method == b"HEAD" or status in (204, 304) else b"".join(parts))
    assert client.trailing_data[0] == b""
    assert writer.complete
