"""TLS with the node's own certificate: the same port, the same promises."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import attrs
import pytest
import trio
import trio.testing
import trustme

from chatnode.certificates import contexts, wanted
from chatnode.config import Config, Limits, Server
from chatnode.errors import StartError
from chatnode.node import Node
from chatnode.testing import User
from chatnode.transport.connection import Connection
from tests.services.dialogue import fill

from .clients import Address, ChatSocket, Ended, EventStream, Http, Wire, head, open_wire, serving


@attrs.frozen
class Certified:
    """A certificate for localhost, its key, and a client's trust in it."""

    certificate: Path
    key: Path
    trust: ssl.SSLContext


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    for number, pem in enumerate(issued.cert_chain_pems):
        pem.write_to_path(str(folder / "certificate.pem"), append=number > 0)
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    return Certified(folder / "certificate.pem", folder / "key.pem", trust)


@pytest.fixture
def config(certified: Certified) -> Config:
    return Config(
        server=Server(
            tls_certificate=str(certified.certificate), tls_key=str(certified.key), shutdown_seconds=1.0
        ),
        limits=Limits(outbox_bytes=50_000, head_seconds=0.5, posts_per_minute=0),
    )  # fmt: skip


@pytest.fixture
def trust(certified: Certified) -> ssl.SSLContext:
    return certified.trust


async def test_https(address: Address, node: Node, trust: ssl.SSLContext, anns: str) -> None:
    assert node.core.base_url.startswith("https://")
    async with await Http.open(address, tls=trust) as http:
        for _ in range(3):
            assert (await http.get("people.me", anns)).json["person"]["handle"] == "ann"
        assert (await http.request("GET", "/health")).status == 200


async def test_two_people_chat_over_tls(
    address: Address, trust: ssl.SSLContext, ann: User, bob: User, anns: str, bobs: str
) -> None:
    talk = await ann.direct(bob)
    async with (
        await ChatSocket.signed_in(address, anns, tls=trust) as on_phone,
        await ChatSocket.signed_in(address, bobs, tls=trust) as on_laptop,
        await EventStream.open(address, bobs, tls=trust) as stream,
    ):
        await stream.take("live")
        for number, (here, there) in enumerate([(on_phone, on_laptop), (on_laptop, on_phone)] * 5, 1):
            posted = await here.call("messages.post", conversation=talk, cid=f"cid-{number}", text=f"{number} ünï")
            for reader in (here, there):
                push = await reader.push("message.posted")
                assert (push["gid"], push["message"]["text"]) == (posted["gid"], f"{number} ünï")
            assert (await stream.take("message.posted")).data["gid"] == posted["gid"]
        await on_phone.ask(*({"id": number, "op": "people.me"} for number in range(20)))
        for number in range(20):
            assert "ok" in await on_phone.reply(number)


async def test_a_slow_reader_over_tls_is_closed_and_resumes_without_loss(
    address: Address, node: Node, trust: ssl.SSLContext, ann: User, bob: User, bobs: str
) -> None:
    talk = await ann.direct(bob)
    async with await ChatSocket.open(address, tls=trust, receive_buffer=4_096) as slow:
        welcome = await slow.hello(bobs)
        await slow.push("live")
        while len(node.sessions):
            await fill(ann, talk, "x" * 15_000, 10)
        pushes, closed = await slow.pushes_to_the_end("message.posted")
        assert closed.code == 4100
    heard = [push["message"]["seq"] for push in pushes]
    cursor = {"epoch": welcome["epoch"], "gid": pushes[-1]["gid"] if pushes else welcome["head"]}
    newest = (await ann.call("conversations.get", conversation=talk))["conversation"]["head"]
    async with await ChatSocket.open(address, tls=trust) as again:
        assert (await again.hello(bobs, cursor=cursor))["mode"] == "replay"
        while len(heard) < newest:
            heard.append((await again.push("message.posted"))["message"]["seq"])
    assert heard == list(range(1, newest + 1))


async def test_a_reader_who_keeps_up_is_not_closed_for_one_large_answer(
    address: Address, trust: ssl.SSLContext, ann: User, anns: str
) -> None:
    notes = await ann.direct(ann)
    await fill(ann, notes, "x" * 15_000, 20)  # a page six times as large as the outbox
    async with await ChatSocket.signed_in(address, anns, tls=trust) as chat:
        assert len((await chat.call("messages.list", conversation=notes))["messages"]) == 20


async def test_nor_for_several_answers_that_were_asked_for_at_once(
    address: Address, trust: ssl.SSLContext, ann: User, anns: str
) -> None:
    notes = await ann.direct(ann)
    await fill(ann, notes, "x" * 15_000, 20)
    async with await ChatSocket.signed_in(address, anns, tls=trust) as chat:
        await chat.ask(*({"id": number, "op": "messages.list", "conversation": notes} for number in range(5)))
        for number in range(5):
            assert len((await chat.reply(number))["ok"]["messages"]) == 20


async def test_a_snapshot_larger_than_the_outbox_begins_a_session(
    address: Address, trust: ssl.SSLContext, ann: User, bob: User, bobs: str
) -> None:
    for number in range(10):
        await ann.says(await ann.group(bob, title=f"room {number}"), "x" * 15_000)
    async with await ChatSocket.open(address, tls=trust) as chat:
        welcome = await chat.hello(bobs)
        assert len(welcome["inbox"]["conversations"]) == 10
        assert (await chat.push())["event"] == "live"


async def test_a_plain_client_on_the_tls_port_is_told_so(address: Address) -> None:
    async with await Http.open(address) as http:
        answer = await http.request("GET", "/health")
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        assert "https://" in answer.error["message"]


@pytest.mark.parametrize("config", [Config()], ids=["plain port"])
async def test_a_tls_client_on_the_plain_port_is_told_so(address: Address, caplog: pytest.LogCaptureFixture) -> None:
    client = ssl.create_default_context()
    for _ in range(2):
        with pytest.raises(trio.BrokenResourceError) as caught:
            await open_wire(address, tls=client)
        assert "ALERT_PROTOCOL_VERSION" in str(caught.value.__cause__)
    assert caplog.text.count("this port is plain") == 1  # not for each


async def test_a_plain_client_on_the_tls_port_hurts_nobody(address: Address, trust: ssl.SSLContext, anns: str) -> None:
    async with await ChatSocket.signed_in(address, anns, tls=trust) as bystander:
        for data in (head("GET", "/health"), b"\x16\x03\x01\x00", b"", b"\xff" * 2_000):
            async with Wire(await open_wire(address)) as wire:
                await wire.send(data)
                answer = await wire.rest()  # within head_seconds
                assert b"200" not in answer
        await bystander.call("people.me")


@pytest.mark.parametrize("config", [Config(limits=Limits(head_seconds=0.5))], ids=["plain port"])
async def test_a_tls_client_on_the_plain_port_hurts_nobody(address: Address, trust: ssl.SSLContext, anns: str) -> None:
    async with await ChatSocket.signed_in(address, anns) as bystander:
        with pytest.raises((trio.BrokenResourceError, Ended)):
            await open_wire(address, tls=trust)
        await bystander.call("people.me")


async def test_a_client_that_stops_in_the_middle_of_the_handshake_is_not_waited_for(
    address: Address, trust: ssl.SSLContext
) -> None:
    hello = ssl.MemoryBIO()
    half = trust.wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        half.do_handshake()
    started = trio.current_time()
    async with Wire(await open_wire(address)) as wire:
        await wire.send(hello.read()[:-10])
        await wire.rest()
    assert trio.current_time() - started < 4


async def test_a_client_that_does_not_trust_the_certificate_hurts_nobody(
    address: Address, trust: ssl.SSLContext
) -> None:
    with pytest.raises(trio.BrokenResourceError):
        await open_wire(address, tls=ssl.create_default_context())
    async with await Http.open(address, tls=trust) as http:
        assert (await http.request("GET", "/health")).status == 200


async def test_old_tls_is_not_spoken(certified: Certified) -> None:
    context = contexts.of_files(str(certified.certificate), str(certified.key))
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


async def test_a_stopping_node_tells_its_clients_to_resume(node: Node, trust: ssl.SSLContext, anns: str) -> None:
    async with serving(node) as address:
        chat = await ChatSocket.signed_in(address, anns, tls=trust)
    async with chat:
        assert (await chat.closed()).code == 1001


def load(settings: Server) -> None:
    wanted.check(Config(server=settings))
    contexts.of_files(settings.tls_certificate, settings.tls_key)


def test_settings_that_cannot_be_used_are_named(certified: Certified) -> None:
    folder = certified.certificate.parent
    (folder / "empty.pem").touch()
    trustme.CA().issue_cert("localhost").private_key_pem.write_to_path(str(folder / "other.pem"))
    messages = []
    for certificate, key in (
        ("certificate.pem", ""),
        ("", "key.pem"),
        ("nowhere.pem", "key.pem"),
        ("certificate.pem", "nowhere.pem"),
        ("key.pem", "key.pem"),
        ("certificate.pem", "certificate.pem"),
        ("certificate.pem", "other.pem"),
        ("empty.pem", "key.pem"),
        (".", "key.pem"),
    ):
        settings = Server(
            tls_certificate=certificate and str(folder / certificate), tls_key=key and str(folder / key)
        )  # fmt: skip
        with pytest.raises(StartError) as caught:
            load(settings)
        messages.append(str(caught.value))
    assert [message for message in messages if "tls_certificate" not in message and "tls_key" not in message] == []


async def test_a_connection_ends_in_peace_while_something_still_reads_it(
    certified: Certified, caplog: pytest.LogCaptureFixture
) -> None:
    """What `end` raised would end the node: it is called outside of the connection's barrier."""
    ours, peers = socket.socketpair()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certified.certificate, certified.key)
    ours.setblocking(False)
    connection = Connection(ours, "192.0.2.1")
    with peers:
        connection.tls = trio.SSLStream(connection.stream(), context, server_side=True)
        peer = trio.SSLStream(
            trio.SocketStream(trio.socket.from_stdlib_socket(peers)), certified.trust, server_hostname="localhost"
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.do_handshake)
            await connection.tls.do_handshake()

        async def read() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await connection.receive()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            await connection.end()
    assert connection.closed
    assert "a connection from 192.0.2.1 failed: BusyResourceError" in caplog.text
