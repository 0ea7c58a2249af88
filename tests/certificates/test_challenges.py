"""Challenges on the node's own port and on the second one, and everybody else meanwhile."""

from __future__ import annotations

import hashlib
import random
import ssl
from pathlib import Path

import attrs
import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from chatnode.acme.orders import CertificateOrder
from chatnode.certificates import contexts
from chatnode.certificates.challenges import HTTP, TLS_ALPN
from chatnode.certificates.node_certificate import NodeCertificate
from chatnode.certificates.store import CertificateStore, State
from chatnode.certificates.x509 import new_key, self_signed
from chatnode.errors import Refusal
from chatnode.node import open_node
from chatnode.testing import User
from tests.certificates.pebble import free_port
from tests.certificates.serving import anyone, challenges, failed, served, settings, shown
from tests.certificates.test_client_hello import hello
from tests.transport.clients import Address, ChatSocket, Http, Wire, head, open_wire

IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")


async def looked_at(address: Address, name: str, protocols: tuple[str, ...] = ("acme-tls/1",)) -> x509.Certificate:
    """The certificate of a client that looks at a challenge, and that nothing more comes after the handshake."""
    client = anyone()
    client.set_alpn_protocols(list(protocols))
    stream = trio.SSLStream(await open_wire(address), client, server_hostname=name, https_compatible=True)
    with trio.fail_after(10):
        await stream.do_handshake()
        found = x509.load_der_x509_certificate(stream.getpeercert(binary_form=True))
        if stream.selected_alpn_protocol() == "acme-tls/1":
            assert await stream.receive_some() == b""
    await trio.aclose_forcefully(stream)
    return found


async def test_only_an_authority_gets_the_answer_and_only_while_the_challenge_is_open(tmp_path: Path) -> None:
    async with served(tmp_path / "data", settings(names=("a.example", "b.example"))) as (node, address):
        usual = (await shown(address)).serial
        with challenges(node).open(TLS_ALPN, "B.example", "token", "token.thumbprint"):
            found = await looked_at(address, "b.example")
            extension = found.extensions.get_extension_for_oid(IDENTIFIER)
            assert extension.critical
            assert extension.value.value == b"\x04\x20" + hashlib.sha256(b"token.thumbprint").digest()
            names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            assert names.get_values_for_type(x509.DNSName) == ["B.example"]
            for name, protocols in (
                ("a.example", ("acme-tls/1",)),
                ("b.example", ("acme-tls/1", "http/1.1")),
                ("b.example", ("http/1.1",)),
            ):
                assert f"{(await looked_at(address, name, protocols)).serial_number:x}" == usual
        assert f"{(await looked_at(address, 'b.example')).serial_number:x}" == usual


@pytest.mark.parametrize("size", [1, 5, 6, 100])
async def test_hellos_in_small_pieces_are_waited_for(tmp_path: Path, size: int) -> None:
    async with served(tmp_path / "data", settings()) as (node, address):
        with challenges(node).open(TLS_ALPN, "a.example", "token", "token.thumbprint"):
            for protocols in (("acme-tls/1",), ("http/1.1",)):
                client, sent, received = anyone(), ssl.MemoryBIO(), ssl.MemoryBIO()
                client.set_alpn_protocols(list(protocols))
                tls = client.wrap_bio(received, sent, server_hostname="a.example")
                async with Wire(await open_wire(address)) as wire:
                    done = False
                    while not done:
                        try:
                            tls.do_handshake()
                            done = True
                        except ssl.SSLWantReadError:
                            pass
                        data = sent.read()
                        for at in range(0, len(data), max(size, len(data) // 20)):
                            await wire.send(data[at : at + max(size, len(data) // 20)])
                            await trio.sleep(0.002)
                        if not done:
                            received.write(await wire.receive())
                    assert tls.selected_alpn_protocol() == protocols[0]


async def test_a_hello_that_does_not_go_on_ends_in_time_and_costs_nothing(tmp_path: Path) -> None:
    async with served(tmp_path / "data", settings(head_seconds=1.0)) as (node, address):
        with challenges(node).open(TLS_ALPN, "a.example", "token", "token.thumbprint"):
            whole = hello()
            started = trio.current_time()
            async with Wire(await open_wire(address)) as wire, Wire(await open_wire(address)) as closing:
                await wire.send(whole[:-1])
                await closing.send(whole[:10])
                await closing.stream.send_eof()  # type: ignore[attr-defined]
                await closing.rest()
                assert trio.current_time() - started < 3
                await wire.rest()
            assert trio.current_time() - started < 4  # head_seconds is 1


@pytest.mark.slow
async def test_fuzzed_hellos_hurt_no_bystander(tmp_path: Path) -> None:
    chance = random.Random(17)
    hellos = [hello(protocols=each) for each in (("acme-tls/1",), ("http/1.1",), ())]
    async with served(tmp_path / "data", settings()) as (node, address):
        ann = await User.new(node, "ann")
        token = (await ann.call("tokens.create"))["token"]
        served_all = trio.Event()

        async def attack(number: int) -> None:
            data = bytearray(chance.choice(hellos))
            for _ in range(chance.choice((0, 1, 2, 8, 40))):
                data[chance.randrange(len(data))] = chance.randrange(256)
            begun = bytes(data[: chance.choice((len(data), chance.randrange(len(data))))])
            async with Wire(await open_wire(address)) as wire:
                await wire.send(begun + chance.randbytes(chance.choice((0, 0, 5, 20_000))))
                if number % 2:
                    await wire.stream.send_eof()  # type: ignore[attr-defined]
                with trio.move_on_after(0.3):  # many would wait for as long as they may
                    await wire.rest()

        async def stand_by(chat: ChatSocket) -> None:
            while not served_all.is_set():
                await chat.call("people.me")
                async with await Http.open(address, tls=anyone()) as http:
                    assert (await http.get("people.me", token)).status == 200
                assert (await looked_at(address, "a.example")).subject is not None

        with challenges(node).open(TLS_ALPN, "a.example", "token", "token.thumbprint"):
            async with await ChatSocket.signed_in(address, token, tls=anyone()) as chat, trio.open_nursery() as nursery:
                nursery.start_soon(stand_by, chat)
                few = trio.CapacityLimiter(50)

                async def limited(number: int) -> None:
                    async with few:
                        await attack(number)

                async with trio.open_nursery() as attacks:
                    for number in range(600):
                        attacks.start_soon(limited, number)
                served_all.set()
            found = await looked_at(address, "a.example")
            assert found.extensions.get_extension_for_oid(IDENTIFIER).critical
        assert (await node.health())[1]["writing"]["status"] == "ok"


# ---- the second port


async def test_the_second_port_redirects_and_answers_challenges(tmp_path: Path) -> None:
    port = free_port()
    second = ("127.0.0.1", port)
    async with served(tmp_path / "data", settings(http_bind=f"127.0.0.1:{port}")) as (node, address):
        async with await Http.open(second) as http:
            found = await http.request("GET", "/some/page?x=1", headers={"Host": "a.example"})
            assert found.status == 301
            assert found.headers["location"] == f"https://a.example:{address[1]}/some/page?x=1"
        for method, body in (("POST", b"{}"), ("DELETE", None)):
            async with await Http.open(second) as http:
                found = await http.request(method, "/v1/people.me", body)
                assert (found.status, found.headers["connection"]) == (308, "close")
        challenge = "/.well-known/acme-challenge/token"
        async with await Http.open(second) as http:
            assert (await http.request("GET", challenge)).status == 404
        with challenges(node).open(HTTP, "a.example", "token", "token.thumbprint"):
            assert not challenges(node).on_tls
            async with await Http.open(second) as http:
                found = await http.request("GET", challenge)
                assert (found.status, found.body) == (200, b"token.thumbprint")
        async with await Http.open(second) as http:
            assert (await http.request("GET", challenge)).status == 404


async def test_the_second_port_has_the_rules_of_the_first(tmp_path: Path) -> None:
    port = free_port()
    async with served(tmp_path / "data", settings(head_seconds=1.0, http_bind=f"127.0.0.1:{port}")):
        for data, status in (
            (b"GET / HTTP/1.1\r\n\r\n", b"400"),
            (b"GET / HTTP/1.1\nHost: a\n\n", b"400"),
            (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", b"431"),
            (b"PRI * HTTP/2.0\r\n\r\n", b"505"),
            (b"GET /", b"408"),
            (head("GET", "/", headers={"Host": "a b"}), b"400"),
        ):
            async with Wire(await open_wire(("127.0.0.1", port))) as wire:
                await wire.send(data)
                assert (await wire.rest())[9:12] == status


async def test_the_public_url_is_where_the_second_port_leads(tmp_path: Path) -> None:
    port = free_port()
    config = settings(http_bind=f"127.0.0.1:{port}")
    config = attrs.evolve(config, server=attrs.evolve(config.server, public_url="https://chat.example.org"))
    async with served(tmp_path / "data", config), await Http.open(("127.0.0.1", port)) as http:
        found = await http.request("GET", "/x", headers={"Host": "evil.example"})
        assert found.headers["location"] == "https://chat.example.org/x"


# ---- what is stored


async def test_a_node_whose_authority_may_not_be_asked_serves_and_says_why(tmp_path: Path) -> None:
    async with served(tmp_path / "data", settings()) as (node, address):
        found = await failed(node)
        assert "outbound.allow" in found["problem"]
        assert (await shown(address)).self_signed
        healthy, parts = await node.health()
        assert not healthy
        assert "a.example: self-signed" in parts["certificate"]["reason"]
        async with await Http.open(address, tls=anyone()) as http:
            answer = await http.request("GET", "/health/ready")
            assert answer.status == 200


async def test_stored_files_that_do_not_fit_are_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = CertificateStore(tmp_path / "data/tls")
    _, mark, chain = self_signed(["a.example"]).partition(b"-----BEGIN CERTIFICATE")
    store.save_certificate(new_key().encode() + mark + chain)
    (tmp_path / "data/tls/state.json").write_bytes(b'{"order": {"url": 5}}')
    (tmp_path / "data/tls/accounts.json").write_bytes(b"nonsense")
    async with served(tmp_path / "data", settings()) as (node, address):
        assert (await shown(address)).self_signed
        await failed(node)
    for file in ("certificate.pem", "state.json", "accounts.json"):
        assert f"{file}: cannot be" in caplog.text


async def test_an_order_whose_certificate_is_stored_is_done(tmp_path: Path) -> None:
    store, pem, config = CertificateStore(tmp_path / "data/tls"), self_signed(["a.example"]), settings()
    key, _, _ = pem.decode().partition("-----BEGIN CERTIFICATE")
    store.save_certificate(pem)
    for stored, left in ((key, None), (new_key(), "https://ca.example/order/1")):
        order = CertificateOrder(config.acme.directory, "https://ca.example/order/1", ("a.example",), stored)
        store.save_state(State(order=order))
        async with served(tmp_path / "data", config) as (node, _):
            keeper = node.core.part(NodeCertificate).keeper
            assert keeper is not None
            assert (keeper.state.order.url if keeper.state.order is not None else None) == left


def test_a_key_and_a_certificate_that_do_not_belong_together_are_refused() -> None:
    pem = self_signed(["a.example"])
    key, mark, chain = pem.partition(b"-----BEGIN CERTIFICATE")
    contexts.of_pem(pem)
    load_pem_private_key(key, None)
    with pytest.raises(ssl.SSLError):
        contexts.of_pem(new_key().encode() + mark + chain)
    with pytest.raises(ssl.SSLError):
        contexts.of_pem(b"nonsense")


async def test_without_acme_there_is_nothing_to_ask_for(tmp_path: Path) -> None:
    async with open_node(tmp_path / "data", only=()) as node:
        assert await node.call("certificate.status") == {"source": "none", "failures": 0}
        for command in ("certificate.issue", "certificate.revoke"):
            with pytest.raises(Refusal, match=r"acme\.accept_terms"):
                await node.call(command)
    async with open_node(tmp_path / "data", settings(), only=()) as node:
        found = await node.call("certificate.status")
        assert (found["source"], found["certificate"]["self_signed"]) == ("acme", True)
        with pytest.raises(Refusal, match="chatnode serve"):
            await node.call("certificate.issue")
        with pytest.raises(Refusal, match="no certificate to revoke"):
            await node.call("certificate.revoke")
