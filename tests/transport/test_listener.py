"""The listener: limits on connections and heads, and stopping in time whatever clients do."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import trio

from chatnode.addresses import Bind
from chatnode.config import Config, Limits, Server
from chatnode.errors import Refusal, StartError
from chatnode.node import Node, open_node
from chatnode.testing import User
from chatnode.transport import listener
from tests.services.dialogue import fill, with_limits

from .clients import (
    PATIENCE,
    Address,
    ChatSocket,
    Ended,
    EventStream,
    Http,
    Wire,
    bearer,
    head,
    open_wire,
    serving,
    wait_for,
)  # fmt: skip


async def connect(address: Address, **options: str) -> Wire:
    return Wire(await open_wire(address, **options))


async def is_served(address: Address, **options: str) -> bool:
    """Whether a new connection gets an answer, and not the refusal that there are too many."""
    async with await connect(address, **options) as wire:
        with contextlib.suppress(trio.BrokenResourceError):
            await wire.send(head("GET", "/"))  # not /health, which tells of what failed for want of files meanwhile
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


@pytest.mark.parametrize(
    "config", [Config(server=Server(dead_peer_seconds=3_000_000))], ids=["more than the kernel takes"]
)
async def test_a_fault_right_after_accepting_ends_only_that_connection(
    node: Node, address: Address, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        async with await connect(address) as wire:
            with pytest.raises(Ended):
                await wire.until(b"\r\n")
    assert [record.getMessage() for record in caplog.records] == ["a connection from 127.0.0.1 failed: TypeError"] * 2
    assert (await node.health())[1]["reading"]["status"] == "ok"


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


class Forged(socket.socket):
    """Listens here, and takes those who connect for being somewhere else."""

    peers: list[str]

    def accept(self) -> tuple[socket.socket, tuple[str, int, int, int]]:
        accepted, _ = super().accept()
        return accepted, (self.peers.pop(0), 50_000, 0, 0)


@with_limits(connections_per_address=2)
async def test_a_64_of_ipv6_and_an_ipv4_address_have_so_many_connections(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    for peers in (
        ["2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:1::3", "2001:db8:0:2::1"],
        ["198.51.100.1", "::ffff:198.51.100.1", "198.51.100.1", "198.51.100.2"],
    ):
        forged = Forged(socket.AF_INET)
        forged.bind(("127.0.0.1", 0))
        forged.listen()
        forged.setblocking(False)
        forged.peers = peers + peers[:3]
        monkeypatch.setattr("chatnode.transport.ports.listen", lambda _, forged=forged: [forged])
        async with serving(node) as address:
            async with contextlib.AsyncExitStack() as held:
                for _ in range(2):
                    await held.enter_async_context(await connect(address))
                assert [await is_served(address) for _ in range(2)] == [False, True]
                await trio.sleep(0.1)
            await trio.sleep(0.2)  # each is given back as it was counted
            assert [await is_served(address) for _ in range(3)] == [True, True, True]


@pytest.mark.parametrize(
    "config",
    [
        Config(server=Server(trusted_proxies=proxies), limits=Limits(connections_per_address=1))
        for proxies in (("127.0.0.1",), ("127.0.0.0/8",))
    ],
    ids=["behind a proxy", "behind a network"],
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
            assert answer.split(b" ")[1:2] == ([b"%d" % status] if status else [])

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


async def test_an_address_that_is_none_is_refused(node: Node) -> None:
    for bind in ("localhost", "127.0.0.1:http", "::1:8008"):
        with pytest.raises(StartError, match="address and a port"), trio.fail_after(PATIENCE):
            await node.serve(bind)


async def open_to(node: Node, bind: str) -> tuple[str, dict[str, bool]]:
    """The URL that a node reports for where it listens, and which addresses of this machine reach it."""
    async with trio.open_nursery() as nursery:
        url: str = await nursery.start(node.serve, bind)
        port = int(url.rpartition(":")[2])
        reached = {host: await is_open(host, port) for host in ("127.0.0.1", "127.0.0.2", "::1")}
        assert node.core.base_url == url
        nursery.cancel_scope.cancel()
    return url.removesuffix(f":{port}"), reached


async def is_open(host: str, port: int) -> bool:
    try:
        await (await trio.open_tcp_stream(host, port)).aclose()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("bind", "url", "reached"),
    [
        ("0", "http://localhost", ["127.0.0.1", "::1"]),
        (":0", "http://localhost", ["127.0.0.1", "::1"]),
        ("localhost:0", "http://localhost", ["127.0.0.1", "::1"]),
        ("127.0.0.2:0", "http://127.0.0.2", ["127.0.0.2"]),
        ("[::1]:0", "http://[::1]", ["::1"]),
        ("0.0.0.0:0", "http://127.0.0.1", ["127.0.0.1", "127.0.0.2"]),
        ("[::]:0", "http://[::1]", ["::1"]),
        ("*:0", "http://localhost", ["127.0.0.1", "127.0.0.2", "::1"]),
    ],
)
async def test_who_reaches_the_node_and_by_which_link(
    node: Node,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    bind: str,
    url: str,
    reached: list[str],
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", of_both_families)  # whatever /etc/hosts says here
    found = await open_to(node, bind)
    assert found == (url, {host: host in reached for host in ("127.0.0.1", "127.0.0.2", "::1")})
    others = {"0.0.0.0:0": ["0.0.0.0"], "[::]:0": ["::"], "*:0": ["0.0.0.0", "::"]}.get(bind, [])
    said = [record.getMessage() for record in caplog.records if "without TLS" in record.getMessage()]
    assert len(said) == bool(others)
    assert all(f"on {', '.join(others)}:" in line for line in said), said


getaddrinfo = socket.getaddrinfo


def of_both_families(host: str | None, *args: object, **options: object) -> object:
    if host == "localhost":
        return [each for name in ("127.0.0.1", "::1") for each in getaddrinfo(name, *args, **options)]  # type: ignore[arg-type]
    return sorted(getaddrinfo(host, *args, **options))  # type: ignore[arg-type]


async def test_an_address_of_the_name_that_this_machine_does_not_have_is_left_out(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_another(host: str, port: int, **options: object) -> object:
        return [(socket.AF_INET, 0, 0, "", (address, port)) for address in ("192.0.2.1", "127.0.0.1")]

    monkeypatch.setattr(listener.socket, "getaddrinfo", with_another)
    (listening,) = listener.listen(Bind("localhost", 0))
    with listening:
        assert listening.getsockname()[0] == "127.0.0.1"
    monkeypatch.setattr(listener.socket, "getaddrinfo", lambda *_, **__: with_another("x", 0)[:1])  # type: ignore[index]
    with pytest.raises(StartError, match=r"cannot listen on localhost:0: .*assign"):
        listener.listen(Bind("localhost", 0))


async def test_no_family_is_left_to_another_program(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that is taken in one family is taken, and nothing stays open of the other."""
    monkeypatch.setattr(socket, "getaddrinfo", of_both_families)
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        said = f"cannot listen on localhost:{port}: .*; stop what uses it, or choose another"
        with pytest.raises(StartError, match=said), trio.fail_after(PATIENCE):
            await node.serve(str(port))
        socket.create_server(("127.0.0.1", port)).close()


async def test_a_name_that_is_none_is_named(node: Node) -> None:
    for name in ("nowhere.invalid", "-" * 64, "x" * 63 + "." + "y" * 63 + ".invalid"):
        with pytest.raises(StartError, match=f"cannot listen on '?{name}"), trio.fail_after(PATIENCE):
            await node.serve(f"{name}:8008")


async def test_a_node_serves_once_at_a_time(node: Node) -> None:
    async with serving(node) as address:
        with (
            pytest.raises(StartError, match=rf"already serves at http://127\.0\.0\.1:{address[1]}"),
            trio.fail_after(PATIENCE),
        ):
            await node.serve("127.0.0.1:0")
        assert await is_served(address)
    async with serving(node) as address:
        assert await is_served(address)


class CancelAt(trio.abc.Instrument):
    """Cancels `scope` before that step of the run, counted from here."""

    def __init__(self, step: int, scope: trio.CancelScope) -> None:
        self._left = step
        self._scope = scope

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._left -= 1
        if self._left == 0:
            self._scope.cancel()


@pytest.mark.parametrize("bind", [None, "127.0.0.1:0"], ids=["no port", "a port"])
def test_a_start_ends_when_it_is_cancelled_at_any_step(tmp_path: Path, bind: str | None) -> None:
    """In a thread: a node that does not end could not be cancelled, and the test would not end either."""
    cancelled: list[int] = []

    async def starts_before(step: int, node: Node) -> bool:
        started = False
        with trio.CancelScope() as scope:
            instrument = CancelAt(step, scope)
            trio.lowlevel.add_instrument(instrument)
            try:
                async with trio.open_nursery() as nursery:
                    await (nursery.start(node.run) if bind is None else nursery.start(node.serve, bind))
                    started = True
                    scope.cancel()
            finally:
                trio.lowlevel.remove_instrument(instrument)
        return started

    async def main() -> None:
        async with open_node(tmp_path / "data", only=()) as node:
            step = 1
            while not await starts_before(step, node):
                step += 1
            cancelled.extend(range(1, step))

    thread = threading.Thread(target=trio.run, args=(main,), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive(), "the node does not end"
    assert cancelled


@pytest.mark.parametrize("config", [Config(server=Server(bind="127.0.0.1:0"))], ids=["port 0"])
async def test_no_link_is_made_that_cannot_be_opened(node: Node, ann: User) -> None:
    for command, fields in (("invites.create", {}), ("setup.create", {}), ("people.reset_link", {"person": "ann"})):
        with pytest.raises(Refusal, match=r"URL, which is unknown .* set server\.public_url"):
            await node.call(command, **fields)
    assert (await node.call("invites.list"))["invites"] == []
    async with serving(node) as (host, port):
        assert (await node.call("invites.create"))["link"].startswith(f"http://{host}:{port}/#invite=")


@pytest.mark.parametrize(
    "config", [Config(server=Server(bind="*:8008")), Config(server=Server(bind=":8008"))], ids=["*", "no host"]
)
async def test_links_made_before_serving_can_be_opened(node: Node) -> None:
    assert (await node.call("setup.create"))["link"].startswith("http://localhost:8008/#setup=")


async def test_a_port_that_is_taken_is_named(node: Node) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(StartError, match=str(taken.getsockname()[1])):
            await node.serve(f"127.0.0.1:{taken.getsockname()[1]}")


# ---- stopping


@pytest.mark.parametrize(
    "config", [Config(server=Server(shutdown_seconds=0.5), limits=Limits(posts_per_minute=0))], ids=["half a second"]
)
async def test_a_node_stops_in_time_whatever_its_clients_do(
    node: Node, ann: User, bob: User, anns: str, bobs: str
) -> None:
    talk = await ann.direct(bob)
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


async def test_a_connection_that_comes_as_the_node_stops_is_no_fault(
    address: Address, anns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It woke the task that accepts, and the listening socket was closed before that ran."""
    accept = socket.socket.accept
    closed: list[socket.socket] = []

    def too_late(listening: socket.socket) -> Any:
        closed.append(listening)
        listening.close()
        return accept(listening)

    async with await ChatSocket.signed_in(address, anns) as chat:
        monkeypatch.setattr(socket.socket, "accept", too_late)
        with contextlib.suppress(OSError):
            async with await connect(address):
                pass
        await wait_for(lambda: closed)
        await chat.call("people.me")


async def test_a_node_that_nobody_uses_stops_at_once(node: Node, anns: str) -> None:
    async with serving(node) as address:
        async with await ChatSocket.signed_in(address, anns), await Http.open(address) as http:
            await http.get("people.me", anns)
        began = trio.current_time()
    assert trio.current_time() - began < 0.9
