"""Plugins' routes: bodies and responses of any size, at the pace of the client, and how each of them may end."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from chatnode.api import CHAT, Context, Disconnected, FilePart, Limit, Refusal, Request, Response, Route, setting
from chatnode.config import Config, Limits, Server
from chatnode.node import Node
from chatnode.testing import User
from chatnode.transport import streams
from tests.plugins.surface.making import made, node_with

from .clients import Address, Http, bearer, head, serving, wait_for

CHUNKED = {"Transfer-Encoding": "chunked"}
MIB = 1 << 20
DATA = bytes(range(256)) * 4_096 + b"end"


@attrs.frozen
class Settings:
    most: int = setting(1_000, "Maximum size.", minimum=0)
    per_minute: int = setting(2, "Uses of one user.", minimum=0)


class Seen:
    """What the handlers of a test saw."""

    def __init__(self) -> None:
        self.got = bytearray()
        self.pieces: list[int] = []
        self.ends: list[str] = []
        self.wholes: list[bool] = []
        self.go_on = trio.Event()


@asynccontextmanager
async def node_at(
    path: Path, *routes: Route, limits: tuple[Limit, ...] = (), server: Server | None = None
) -> AsyncGenerator[tuple[Node, Address]]:
    config = Config(server=server or Server(shutdown_seconds=1.0), limits=Limits(body_bytes=2_000))
    plugin = made("demo", settings=Settings, routes=routes, limits=limits)
    async with node_with(path, plugin, config=config) as node, serving(node) as address:
        await http_made(address)
        yield node, address


def collect(seen: Seen) -> Callable[[Context, Request], Any]:
    """A handler that keeps what it gets, and notes how it ends."""

    async def handler(ctx: Context, request: Request) -> Response:
        try:
            async for piece in request.chunks():
                seen.got += piece
                seen.pieces.append(len(piece))
        except Disconnected as early:
            seen.ends.append(early.why)
            try:
                await seen.go_on.wait()
            finally:
                seen.ends.append("ended")
            raise
        seen.ends.append("whole")
        return Response(hashlib.sha256(seen.got).hexdigest())

    return handler


def upload(handler: Any, **more: Any) -> Route:
    return Route("upload", handler, None, methods=("POST",), **{"most_bytes": 0, **more})


async def token_of(node: Node, handle: str = "ann") -> str:
    return (await (await User.new(node, handle)).call("tokens.create"))["token"]


async def http_made(address: Address) -> None:
    """The framework is imported, and no task is left of that."""
    async with await Http.open(address) as http:
        await http.request("GET", "/health/live", headers={"Connection": "close"})
    await no_connections(address)


async def no_connections(address: Address, within: float = 3) -> None:
    """Until the node holds no connection on its port."""
    port = f":{address[1]:04X}"

    def held() -> list[str]:
        lines = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
        return [line[1] for line in lines if line[1].endswith(port) and line[3] == "01"]

    await wait_for(lambda: not held(), within)


# ---- bodies


@pytest.mark.parametrize("headers", [{}, CHUNKED], ids=["length", "chunked"])
async def test_a_large_body_arrives_whole_in_small_pieces_and_the_connection_stays(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    seen, data = Seen(), bytes(range(256)) * 8_192
    async with node_at(tmp_path, upload(collect(seen))) as (_, address), await Http.open(address) as http:
        for _ in range(2):
            seen.got.clear()
            if headers:
                await http.send(head("POST", "/plugins/demo/upload", None, headers))
                for at in range(0, len(data), 100_000):
                    part = data[at : at + 100_000]
                    await http.send(b"%x\r\n" % len(part) + part + b"\r\n")
                await http.send(b"0\r\n\r\n")
            else:
                await http.send(head("POST", "/plugins/demo/upload", data) + data)
            answer = await http.response()
            assert (answer.status, answer.body.decode()) == (200, hashlib.sha256(data).hexdigest())
            assert "connection" not in answer.headers
    assert max(seen.pieces) <= 65_536


async def test_a_handler_that_waits_makes_the_client_wait(tmp_path: Path) -> None:
    async def slow(ctx: Context, request: Request) -> Response:
        async for _ in request.chunks():
            await trio.sleep_forever()
        return Response()

    async with node_at(tmp_path, upload(slow)) as (_, address), await Http.open(address) as http:
        sent, size = 0, 50 * MIB
        await http.send(head("POST", "/plugins/demo/upload", None, {"Content-Length": str(size)}))
        with trio.move_on_after(0.5):
            while sent < size:
                await http.stream.send_all(bytes(100_000))
                sent += 100_000
        assert sent < size / 2


async def test_the_body_is_asked_for_when_it_is_read(tmp_path: Path) -> None:
    seen = Seen()
    async with node_at(tmp_path, upload(collect(seen)), Route("closed", collect(seen), CHAT, methods=("POST",))) as (
        _,
        address,
    ):
        async with await Http.open(address) as http:
            await http.send(head("POST", "/plugins/demo/upload", b"abc", {"Expect": "100-continue"}))
            assert (await http.response_head())[0] == 100
            await http.send(b"abc")
            assert (await http.response()).status == 200
            await http.send(head("POST", "/plugins/demo/closed", b"abc", {"Expect": "100-continue"}))
            assert (await http.response()).status == 401  # and not 100


async def test_a_small_body_is_read_at_once_within_its_limit(tmp_path: Path) -> None:
    async def echo(ctx: Context, request: Request) -> Response:
        return Response(await request.body())

    routes = [
        Route("default", echo, None, methods=("POST",)),
        Route("unbounded", echo, None, methods=("POST",), most_bytes=0),
        Route("fixed", echo, None, methods=("POST",), most_bytes=10),
        Route("set", echo, None, methods=("POST",), most_bytes=lambda settings: settings.most),
    ]
    async with node_at(tmp_path, *routes) as (_, address):
        for name, most in {"default": 2_000, "unbounded": 2_000, "fixed": 10, "set": 1_000}.items():
            for chunked in (False, True):
                async with await Http.open(address) as http:
                    for size in (most, most + 1):
                        if chunked:
                            body = b"%x\r\n" % size + bytes(size) + b"\r\n0\r\n\r\n"
                            await http.send(head("POST", f"/plugins/demo/{name}", None, CHUNKED) + body)
                            answer = await http.response()
                        else:
                            answer = await http.request("POST", f"/plugins/demo/{name}", bytes(size))
                        assert answer.status == (200 if size <= most else 413), (name, chunked)
                    assert answer.error["code"] == "too_large"


# ---- refusals before the body was read


@pytest.mark.parametrize("how", ["length", "chunked", "never stops"])
async def test_a_refusal_before_the_body_was_read_leaves_no_task_and_no_connection(tmp_path: Path, how: str) -> None:
    async def refuse(ctx: Context, request: Request) -> Response:
        raise Refusal("gone", "not here any more")

    async with node_at(tmp_path, upload(refuse)) as (_, address):
        running = trio.lowlevel.current_statistics().tasks_living
        async with await Http.open(address) as http, trio.open_nursery() as nursery:
            headers = CHUNKED if how == "chunked" else {"Content-Length": str(5 * MIB if how == "length" else 2**40)}
            await http.send(head("POST", "/plugins/demo/upload", None, headers))

            async def send() -> None:
                with contextlib.suppress(trio.BrokenResourceError):
                    for _ in range(10**9 if how == "never stops" else 80):
                        await http.stream.send_all(b"10000\r\n" + bytes(65_536) + b"\r\n")

            nursery.start_soon(send)
            answer = await http.response()
            assert (answer.status, answer.headers["connection"]) == (410, "close")
            await no_connections(address)
            await wait_for(lambda: trio.lowlevel.current_statistics().tasks_living <= running + 1)
            nursery.cancel_scope.cancel()


async def test_a_handler_may_drain_what_it_does_not_want_and_keep_the_connection(tmp_path: Path) -> None:
    async def refuse(ctx: Context, request: Request) -> Response:
        await request.drain()
        return Response("no", 409)

    async with node_at(tmp_path, upload(refuse)) as (_, address), await Http.open(address) as http:
        for _ in range(2):
            answer = await http.request("POST", "/plugins/demo/upload", bytes(500_000))
            assert (answer.status, "connection" in answer.headers) == (409, False)
        await http.send(head("POST", "/plugins/demo/upload", bytes(3 * MIB)) + bytes(2 * MIB))
        answer = await http.response()
        assert (answer.status, answer.headers["connection"]) == (409, "close")


# ---- bodies that end early


async def test_a_client_that_goes_away_leaves_what_arrived_and_time_to_store_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "FLUSH_SECONDS", 0.3)
    seen = Seen()
    async with node_at(tmp_path, upload(collect(seen))) as (_, address):
        async with await Http.open(address) as http:
            await http.send(head("POST", "/plugins/demo/upload", None, {"Content-Length": "1000000"}))
            await http.send(bytes(300_000))
        await wait_for(lambda: seen.ends == ["gone"])
        assert len(seen.got) == 300_000
        await wait_for(lambda: seen.ends == ["gone", "ended"])  # it would wait for ever


async def test_a_handler_is_cancelled_when_nobody_waits_for_its_response(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once if there was no body, and else when it had time to store it."""
    monkeypatch.setattr(streams, "FLUSH_SECONDS", 0.5)
    seen = Seen()

    async def think(ctx: Context, request: Request) -> Response:
        await request.body()
        seen.ends.append("thinks")
        try:
            await trio.sleep_forever()
        finally:
            seen.ends.append(f"cancelled after {trio.current_time() - left >= 0.4}")
        return Response()

    async with node_at(tmp_path, Route("think", think, None, methods=("GET", "POST"))) as (_, address):
        for body, late in ((None, False), (b"abc", True)):
            seen.ends.clear()
            async with await Http.open(address) as http:
                await http.send(head("POST" if body else "GET", "/plugins/demo/think", body) + (body or b""))
                await wait_for(lambda: seen.ends == ["thinks"])
                left = trio.current_time()
            await wait_for(lambda: len(seen.ends) == 2)
            assert seen.ends[1] == f"cancelled after {late}"


async def test_a_client_that_sends_nothing_for_too_long_is_told(tmp_path: Path) -> None:
    seen = Seen()
    seen.go_on.set()
    async with node_at(tmp_path, upload(collect(seen), idle_seconds=0.2)) as (_, address):
        async with await Http.open(address) as http:
            await http.send(head("POST", "/plugins/demo/upload", None, {"Content-Length": "10"}))
            for _ in range(4):  # slow, but never idle
                await trio.sleep(0.1)
                await http.send(b"x")
            answer = await http.response()
            assert (answer.status, answer.headers["connection"]) == (408, "close")
            assert await http.rest() == b""
    assert (seen.got, seen.ends) == (b"xxxx", ["idle", "ended"])


async def test_a_malformed_body_ends_it_and_the_client_is_told(tmp_path: Path) -> None:
    seen = Seen()
    seen.go_on.set()
    async with node_at(tmp_path, upload(collect(seen))) as (_, address), await Http.open(address) as http:
        await http.send(head("POST", "/plugins/demo/upload", None, CHUNKED) + b"1\r\nx\r\n")
        await wait_for(lambda: seen.got)
        await http.send(b"zz\r\n")
        assert (await http.response()).status == 400
    assert (seen.got, seen.ends) == (b"x", ["gone", "ended"])


async def test_a_node_that_stops_ends_uploads_and_lets_them_be_stored(tmp_path: Path) -> None:
    seen = Seen()
    answers: list[int] = []

    async def send(address: Address) -> None:
        async with await Http.open(address) as http:
            await http.send(head("POST", "/plugins/demo/upload", None, {"Content-Length": "1000000"}) + bytes(1_000))
            answers.append((await http.response()).status)

    async with trio.open_nursery() as nursery:
        async with node_at(tmp_path, upload(collect(seen)), server=Server(shutdown_seconds=5)) as (_, address):
            nursery.start_soon(send, address)
            await wait_for(lambda: len(seen.got) == 1_000)

            async def store() -> None:
                await wait_for(lambda: seen.ends == ["stopping"])
                seen.go_on.set()

            nursery.start_soon(store)
    assert (seen.ends, answers) == (["stopping", "ended"], [503])


# ---- responses


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    return path


def download(path: Path, seen: Seen, **more: Any) -> Route:
    async def handler(ctx: Context, request: Request) -> Response:
        start, stop = int(request.query.get("start", "0")), request.query.get("stop")
        return Response(FilePart(path, start, int(stop) if stop else None), ended=seen.wholes.append)

    return Route("file", handler, None, **more)


async def test_a_file_is_sent_whole_or_in_part_and_head_has_its_length(tmp_path: Path, file: Path) -> None:
    seen = Seen()
    async with node_at(tmp_path, download(file, seen)) as (_, address), await Http.open(address) as http:
        for query, expected in {
            "": DATA,
            "?start=5": DATA[5:],
            "?start=7&stop=9": DATA[7:9],
            "?start=3&stop=3": b"",
        }.items():
            answer = await http.request("GET", f"/plugins/demo/file{query}")
            assert (answer.status, answer.body == expected) == (200, True), query
            answer = await http.request("HEAD", f"/plugins/demo/file{query}")
            assert (answer.status, answer.headers["content-length"]) == (200, str(len(expected)))
        assert seen.wholes == [True, False] * 4
        os.unlink(file)
        assert (await http.request("GET", "/plugins/demo/file")).status == 404
    assert seen.wholes[8:] == [False]


async def test_a_reader_who_is_slow_is_waited_for_and_costs_no_memory(tmp_path: Path) -> None:
    seen, path = Seen(), tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(200 * MIB)

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4_096

    async with node_at(tmp_path, download(path, seen)) as (_, address):
        async with await Http.open(address, receive_buffer=65_536) as http:
            await http.request("HEAD", "/plugins/demo/file")
            before = resident()
            await http.send(head("GET", "/plugins/demo/file"))
            await http.response_head()
            await trio.sleep(0.3)
            for _ in range(200):
                await http.receive()
            assert resident() - before < 8 * MIB
            assert seen.wholes == [False]  # of HEAD
        await wait_for(lambda: seen.wholes == [False, False])


async def test_a_reader_who_takes_nothing_is_disconnected(tmp_path: Path) -> None:
    seen, path = Seen(), tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(50 * MIB)
    async with node_at(tmp_path, download(path, seen, idle_seconds=0.05)) as (_, address):
        async with await Http.open(address, receive_buffer=4_096) as http:
            await http.send(head("GET", "/plugins/demo/file"))
            await wait_for(lambda: seen.wholes == [False])


async def test_a_file_that_gets_shorter_ends_the_connection(tmp_path: Path, file: Path) -> None:
    async def handler(ctx: Context, request: Request) -> Response:
        return Response(FilePart(file))

    async with node_at(tmp_path, Route("file", handler, None)) as (_, address):
        async with await Http.open(address, receive_buffer=4_096) as http:
            await http.send(head("GET", "/plugins/demo/file"))
            _, headers, _ = await http.response_head()
            with file.open("r+b") as shorter:
                shorter.truncate(600_000)
            assert len(await http.rest()) < int(headers["content-length"])


async def test_what_an_iterator_yields_goes_out_as_it_comes_and_it_is_closed(tmp_path: Path) -> None:
    seen = Seen()

    async def parts() -> AsyncIterator[bytes]:
        try:
            yield b"one"
            await seen.go_on.wait()
            yield b"two"
            raise ValueError("a fault")
        finally:
            seen.ends.append("closed")

    async def handler(ctx: Context, request: Request) -> Response:
        return Response(parts(), ended=seen.wholes.append)

    async with node_at(tmp_path, Route("parts", handler, None)) as (_, address), await Http.open(address) as http:
        await http.send(head("GET", "/plugins/demo/parts"))
        _, headers, _ = await http.response_head()
        assert headers["transfer-encoding"] == "chunked"
        assert await http.chunk() == b"one"
        seen.go_on.set()
        assert await http.chunk() == b"two"
        assert await http.rest() == b""  # without an end: something is missing
    assert (seen.ends, seen.wholes) == (["closed"], [False])


async def test_a_response_that_cannot_be_sent_is_a_fault_of_the_plugin(tmp_path: Path) -> None:
    async def handler(ctx: Context, request: Request) -> Response:
        return {
            "split": Response(headers={"x": "a\r\nb: c"}),
            "status": Response(status=99),
            "text": Response(headers={"x": "\N{SNOWMAN}"}),
            "beyond": Response(FilePart(Path(__file__), 2**40)),
        }[request.path["what"]]

    async with node_at(tmp_path, Route("<what>", handler, None)) as (_, address):
        for what in ("split", "status", "text", "beyond", "unknown"):
            async with await Http.open(address) as http:
                answer = await http.request("GET", f"/plugins/demo/{what}")
                assert (answer.status, answer.error["code"]) == (500, "internal"), what


# ---- addresses, methods, headers


async def test_routes_of_one_rule_share_its_methods_and_the_node_answers_the_rest(tmp_path: Path) -> None:
    async def handler(ctx: Context, request: Request) -> Response:
        return Response(f"{request.method} {dict(request.path)}", content_type="")

    routes = (
        Route("things/<id>", handler, None, methods=("GET", "PATCH")),
        Route("things/<thing>", handler, CHAT, methods=("DELETE",)),
        Route("things/all", handler, None, methods=("HEAD", "OPTIONS")),
    )
    async with node_at(tmp_path, *routes) as (node, address), await Http.open(address) as http:
        token = bearer(await token_of(node))
        assert (await http.request("PATCH", "/plugins/demo/things/a%20b")).body == b"PATCH {'id': 'a b'}"
        assert (await http.request("DELETE", "/plugins/demo/things/1")).status == 401
        deleted = await http.request("DELETE", "/plugins/demo/things/1", headers=token)
        assert (deleted.body, "content-type" in deleted.headers) == (b"DELETE {'thing': '1'}", False)
        assert (await http.request("HEAD", "/plugins/demo/things/1")).headers["content-length"] == "16"
        options = await http.request("OPTIONS", "/plugins/demo/things/1")
        assert (options.status, options.headers["allow"]) == (204, "DELETE, GET, HEAD, OPTIONS, PATCH")
        assert (await http.request("OPTIONS", "/plugins/demo/things/all")).body == b"OPTIONS {}"
        refused = await http.request("GET", "/plugins/demo/things/all")
        assert (refused.status, refused.headers["allow"]) == (405, "HEAD, OPTIONS")
        for missing in ("things", "things/", "things/1/", "things/1/2", "things/a%2Fb", "other"):
            assert (await http.request("GET", f"/plugins/demo/{missing}")).status == 404, missing
        assert (await http.request("GET", "/plugins/nobody/things/1")).status == 404


async def test_a_response_has_the_nodes_headers_unless_it_sets_them(tmp_path: Path) -> None:
    async def handler(ctx: Context, request: Request) -> Response:
        return Response(headers={"Content-Security-Policy": "sandbox", "CACHE-CONTROL": "private"})

    async with node_at(tmp_path, Route("own", handler, None)) as (_, address), await Http.open(address) as http:
        answer = await http.request("GET", "/plugins/demo/own")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["content-security-policy"] == "sandbox"
        assert answer.headers["cache-control"] == "private"
        assert answer.raw.lower().count(b"cache-control") == 1


async def test_a_route_for_everybody_knows_who_is_signed_in(tmp_path: Path) -> None:
    async def who(ctx: Context, request: Request) -> Response:
        return Response(ctx.account.handle if ctx.account else "nobody")

    async with node_at(tmp_path, Route("who", who, None)) as (node, address), await Http.open(address) as http:
        token = await token_of(node)
        assert (await http.request("GET", "/plugins/demo/who")).body == b"nobody"
        assert (await http.request("GET", "/plugins/demo/who", headers=bearer(token))).body == b"ann"
        assert (await http.request("GET", "/plugins/demo/who", headers=bearer("a webhook's"))).body == b"nobody"
        cookie = {"Cookie": f"chatnode_session={token}"}
        assert (await http.request("GET", "/plugins/demo/who", headers=cookie)).body == b"ann"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 400),
        ({"Content-Type": "text/plain"}, 400),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 400),
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
        ({"Tus-Resumable": "1.0.0"}, 200),
        ({"Content-Type": "text/plain", "Origin": "http://localhost"}, 200),
        ({"Content-Type": "text/plain", "Origin": "https://evil.example"}, 401),
        ({"Tus-Resumable": "1.0.0", "Origin": "https://evil.example"}, 401),
        ({"Content-Type": "application/json", "Origin": "null"}, 401),
    ],
)
async def test_a_write_with_the_cookie_needs_what_other_sites_cannot_send(
    tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    async def change(ctx: Context, request: Request) -> Response:
        return Response(ctx.me.handle)

    async with node_at(tmp_path, Route("change", change, CHAT, methods=("POST", "PATCH", "GET"))) as (node, address):
        cookie = {"Cookie": f"chatnode_session={await token_of(node)}"}
        async with await Http.open(address) as http:
            for method in ("POST", "PATCH"):
                answer = await http.request(method, "/plugins/demo/change", b"{}", cookie | headers)
                assert answer.status == status
            if "Origin" not in headers:
                assert (await http.request("GET", "/plugins/demo/change", headers=cookie)).status == 200


async def test_a_route_counts_once_and_against_its_own_limit(tmp_path: Path) -> None:
    async def use(ctx: Context, request: Request) -> Response:
        return Response()

    route = Route("use", use, CHAT, limit="uses")
    async with node_at(tmp_path, route, limits=(Limit("uses", "uses", "per_minute"),)) as (node, address):
        token = await token_of(node)
        taken: list[object] = []
        take = node.core.requests.take
        node.core.requests.take = lambda key: (taken.append(key), take(key))[1]  # type: ignore[method-assign]
        async with await Http.open(address) as http:
            answers = [await http.request("GET", "/plugins/demo/use", headers=bearer(token)) for _ in range(3)]
        assert [each.status for each in answers] == [200, 200, 429]
        assert int(answers[2].headers["retry-after"]) > 0
        assert len(taken) == 3
