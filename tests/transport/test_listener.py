"""The listener: limits on connections and heads, and stopping in time whatever clients do."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from chatnode.config import Config, Limits, Server
from chatnode.errors import StartError
from chatnode.node import Node, parse_bind
from tests.conftest import Somebody
from tests.services.dialogue import direct, fill, with_limits

from .clients import PATIENCE, Address, ChatSocket, Ended, EventStream, Http, Wire, bearer, head, open_wire, serving


async def connect(address: Address, **options: str) -> Wire:
    return Wire(await open_wire(address, **options))


async def is_served(address: Address, **options: str) -> bool:
    """Whether a new connection gets an answer, and not the refusal that there are too many."""
    async with await connect(address, **options) as wire:
        with contextlib.suppress(trio.BrokenResourceError):
            await wire.send(head("GET", "/health"))
        try:
            line = await wire.until(b"\r\n")
        except Ended:
            return False
        assert line.split(b" ")[1] in (b"200", b"503"), line
        return line.split(b" ")[1] == b"200"


async def wait_served(address: Address, **options: str) -> None:
    with trio.fail_after(PATIENCE):
        while not await is_served(address, **options):  # noqa: ASYNC110
            await trio.sleep(0.02)


def served_sockets() -> list[socket.socket]:
    """The connected sockets of this process, which is the node's too."""
    found: list[socket.socket] = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            copy = socket.socket(fileno=os.dup(int(number)))
            with contextlib.suppress(OSError):
                copy.getpeername()
                found.append(copy)
                continue
            copy.close()
    return found


@pytest.mark.parametrize("config", [Config(server=Server(dead_peer_seconds=7))], ids=["7 s"])
async def test_the_kernel_drops_a_peer_that_acknowledges_nothing(address: Address) -> None:
    async with await connect(address) as wire:
        await wire.send(head("GET", "/health"))
        await wire.until(b"\r\n")
        sockets = served_sockets()
        try:
            own = [each for each in sockets if each.family != socket.AF_UNIX and each.getsockname()[:2] == address[:2]]
            assert [each.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) for each in own] == [7_000]
        finally:
            for each in sockets:
                each.close()


# ---- how many


@with_limits(connections=5)
async def test_so_many_connections_in_all_and_no_more(address: Address) -> None:
    held = [await connect(address, source=f"127.0.0.{number}") for number in range(2, 7)]
    await trio.sleep(0.05)
    assert not await is_served(address)
    for wire in held[:2]:
        await wire.__aexit__()
    await wait_served(address)
    for wire in held[2:]:
        await wire.__aexit__()


@with_limits(connections_per_address=3)
async def test_so_many_connections_from_one_address(address: Address, anns: str) -> None:
    talking = await ChatSocket.signed_in(address, anns)  # counts as much as one that says nothing
    silent = [await connect(address) for _ in range(2)]
    await trio.sleep(0.05)
    assert not await is_served(address)
    assert await is_served(address, source="127.0.0.2")
    await talking.call("people.me")
    await silent[0].__aexit__()
    await wait_served(address)
    async with talking, silent[1]:
        pass
    for _ in range(10):  # each is freed again
        await wait_served(address)


@pytest.mark.parametrize(
    "config",
    [Config(server=Server(trusted_proxies=("127.0.0.1",)), limits=Limits(connections_per_address=1))],
    ids=["behind a proxy"],
)
async def test_a_trusted_proxy_has_as_many_as_it_needs(address: Address) -> None:
    async with await connect(address), await connect(address):
        assert await is_served(address)


@with_limits(connections=0, connections_per_address=0)
async def test_no_limit_on_connections_is_none(address: Address) -> None:
    held = [await connect(address) for _ in range(250)]
    assert await is_served(address)
    for wire in held:
        await wire.__aexit__()


# ---- heads


@with_limits(head_bytes=1_000)
async def test_a_head_is_so_large_and_no_larger(address: Address) -> None:
    empty = head("GET", "/health", headers={"X-Fill": "x"})
    async with await Http.open(address) as http:
        fits = head("GET", "/health", headers={"X-Fill": "x" * (1_001 - len(empty))})
        assert len(fits) == 1_000
        await http.send(fits)
        assert (await http.response()).status == 200
    for data in (
        head("GET", "/health", headers={"X-Fill": "x" * (1_002 - len(empty))}),
        b"GET /" + b"x" * 2_000,
        b"\r\n" * 600,
    ):
        async with await Http.open(address) as http:
            await http.send(data)
            answer = await http.response()
            assert answer.status in (400, 431)
            assert answer.headers["connection"] == "close"
            assert await http.rest() == b""


@with_limits(head_seconds=0.5, keep_alive_seconds=0.5)
async def test_a_head_takes_so_long_and_no_longer(address: Address, anns: str) -> None:
    async with trio.open_nursery() as nursery:

        async def dawdle(data: bytes, status: int | None) -> None:
            started = trio.current_time()
            async with await Http.open(address) as http:
                if data:
                    await http.send(data)
                answer = await http.rest()
            assert 0.4 < trio.current_time() - started < 4
            assert status is None or answer.split(b" ")[1] == b"%d" % status

        nursery.start_soon(dawdle, b"GET /health HTTP/1.1\r\nHost:", 408)
        nursery.start_soon(dawdle, b"", None)
        nursery.start_soon(dawdle, head("GET", "/health"), 200)
        nursery.start_soon(dawdle, head("GET", "/health") + b"GET /hea", 200)


async def test_a_head_that_is_none_is_refused(address: Address) -> None:
    expected = {
        b"hello\r\n\r\n": 400,
        b"GET /health\r\n\r\n": 400,
        b"GET  /health HTTP/1.1\r\n\r\n": 400,
        b"get /health HTTP/1.1\r\n\r\n": 400,
        b"GET health HTTP/1.1\r\n\r\n": 400,
        b"GET /h\xc3\xa9 HTTP/1.1\r\n\r\n": 400,
        b"GET /health HTTP/2.0\r\n\r\n": 505,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": 505,
        b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n": 400,
        b"GET /health HTTP/1.1\r\nno colon\r\n\r\n": 400,
        b"GET /health HTTP/1.1\r\n folded: x\r\n\r\n": 400,
        b"GET /health HTTP/1.1\r\nX: \xff\r\n\r\n": 400,
        b"GET /health HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n": 400,
    }
    found = {}
    for data in expected:
        async with await Http.open(address) as http:
            await http.send(data)
            found[data] = (await http.response()).status
            assert await http.rest() == b""
    assert found == expected
    assert await is_served(address)


# ---- running out of files

_FEW_FILES = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
from chatnode.cli import main
sys.argv[0] = "chatnode"
main()
"""


async def test_a_node_without_files_left_goes_on_when_there_are_some(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _FEW_FILES, "--data", str(tmp_path / "data"), "serve", "--bind", "127.0.0.1:0"]
    process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    assert process.stderr
    try:
        with trio.fail_after(2 * PATIENCE):
            line = bytes(await process.stdout.receive_some()).decode()
            port = int(line.rpartition(":")[2])
            held = [await connect(("127.0.0.1", port)) for _ in range(100)]
            await trio.sleep(0.3)
            for wire in held:
                await wire.__aexit__()
            await wait_served(("127.0.0.1", port))
            os.kill(process.pid, signal.SIGTERM)
            logged = b""
            while data := await process.stderr.receive_some():
                logged += data
            assert await process.wait() == 0
    finally:
        process.kill()
        await process.wait()
        await process.stdout.aclose()
        await process.stderr.aclose()
    assert logged.count(b"raise the limit of open files") == 1
    assert b"Traceback" not in logged


# ---- where to listen


def test_an_address_that_is_none_is_refused() -> None:
    for bind in (
        "",
        "localhost",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:http",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "::²",
    ):
        with pytest.raises(StartError, match="address and a port"):
            parse_bind(bind)
    assert parse_bind("[::1]:8008") == ("::1", 8008)
    assert parse_bind(":0") == ("", 0)


async def test_a_port_that_is_taken_is_named(node: Node) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(StartError, match=str(taken.getsockname()[1])):
            await node.serve(f"127.0.0.1:{taken.getsockname()[1]}")


# ---- stopping


@pytest.mark.parametrize(
    "config", [Config(server=Server(shutdown_seconds=0.5), limits=Limits(posts_per_minute=0))], ids=["half a second"]
)
async def test_a_node_stops_in_time_whatever_its_clients_do(
    node: Node, ann: Somebody, bob: Somebody, anns: str, bobs: str
) -> None:
    talk = await direct(ann, bob)
    async with contextlib.AsyncExitStack() as clients:
        async with serving(node) as address:

            async def keep(client: Wire) -> None:
                await clients.enter_async_context(client)

            socket_ = await ChatSocket.open(address, receive_buffer=4_096)
            await socket_.hello(bobs)
            stream = await EventStream.open(address, bobs, receive_buffer=4_096)
            await fill(ann, talk, "x" * 15_000, 300)  # neither of them reads any more
            page = await Http.open(address, receive_buffer=4_096)
            target = f"/v1/messages.list?conversation={talk}&limit=300"
            await page.send(head("GET", target, headers=bearer(anns)) * 5)
            half = await Http.open(address)
            await half.send(head("POST", "/v1/people.me", b" " * 100, bearer(anns)) + b" ")
            silent, upgrading = await Http.open(address), await Http.open(address)
            await upgrading.send(b"GET /v1/socket HTTP/1.1\r\nUpg")
            for client in (socket_, stream, page, half, silent, upgrading):
                await keep(client)
            await trio.sleep(0.1)
            began = trio.current_time()
        took = trio.current_time() - began
    assert took < 0.5 + 2


async def test_a_node_that_nobody_uses_stops_at_once(node: Node, anns: str) -> None:
    async with serving(node) as address:
        async with await ChatSocket.signed_in(address, anns), await Http.open(address) as http:
            await http.get("people.me", anns)
        began = trio.current_time()
    assert trio.current_time() - began < 0.9
