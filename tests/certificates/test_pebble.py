"""Certificates of a real authority, pebble: strict, and half of all nonces refused."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import attrs
import pytest
import trio

from chatnode.certificates.store import CertificateStore, State
from chatnode.config import OutboundSettings
from chatnode.errors import Refusal
from chatnode.testing import User
from tests.certificates.pebble import BINDING, REFUSED, Place, running
from tests.certificates.serving import anyone, failed, issued, served, settings, shown, status
from tests.transport.clients import ChatSocket, Http

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Generator[Place]:
    with running(Place.made_in(tmp_path_factory.mktemp("pebble"))) as place:
        yield place


@pytest.fixture
def place(authority: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """pebble, which this process trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.trust))
    return authority


def log_of(place: Place) -> str:
    return (place.folder / "pebble.log").read_text()


async def test_several_names_by_tls_alpn_01(place: Place, tmp_path: Path) -> None:
    names, data = ("a.example", "b.example", "c.example"), tmp_path / "data"
    async with served(data, settings(place, names=names, contact="root@example.org")) as (node, address):
        certificate = await issued(node)
        assert sorted(certificate["names"]) == sorted(names)
        assert "Pebble" in certificate["issuer"]
        for name in names:
            assert (await shown(address, place.root(), name)).serial == certificate["serial"]
        healthy, parts = await node.health()
        assert healthy
        assert parts["certificate"]["expires_at"] == certificate["expires_at"]
        async with await Http.open(address, tls=place.root(), name="a.example") as http:
            assert b"chatnode_certificate_expires_seconds 1" in (await http.request("GET", "/metrics")).raw
        (entry,) = (await node.call("audit.list", action="certificate.issue"))["entries"]
        assert entry["target"] == certificate["names"][0]
        assert entry["details"]["serial"] == certificate["serial"]
        first = (data / "tls/certificate.pem").read_bytes()
        again = (await node.call("certificate.issue"))["certificate"]
        assert again["serial"] != certificate["serial"]
        assert (await shown(address, place.root())).serial == again["serial"]
        second = (data / "tls/certificate.pem").read_bytes()
    key, _, _ = first.partition(b"-----BEGIN CERT")
    assert b"PRIVATE KEY" in key
    assert key not in second
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in (data / "tls").iterdir()}
    assert modes == dict.fromkeys(("accounts.json", "certificate.pem", "state.json"), 0o600)
    assert stat.S_IMODE((data / "tls").stat().st_mode) == 0o700
    async with served(data, settings(place, names=names)) as (node, address):  # as it was stored, without an order
        assert (await shown(address, place.root())).serial == again["serial"]
        assert (await status(node))["certificate"]["serial"] == again["serial"]


async def test_by_http_01_where_there_is_a_second_port(place: Place, tmp_path: Path) -> None:
    before = log_of(place).count("GET /.well-known") + log_of(place).count("/.well-known/acme-challenge/")
    config = settings(place, names=("h.example", "i.example"), http_bind=f"127.0.0.1:{place.http_port}")
    async with served(tmp_path / "data", config) as (node, address):
        await issued(node)
        assert (await shown(address, place.root(), "i.example")).names == ("h.example", "i.example")
    assert log_of(place).count("/.well-known/acme-challenge/") > before


async def test_new_names_and_another_authority_are_reasons_for_a_new_certificate(place: Place, tmp_path: Path) -> None:
    async with served(tmp_path / "data", settings(place)) as (node, _):
        first = await issued(node)
    async with served(tmp_path / "data", settings(place, names=("a.example", "new.example"))) as (node, address):
        with trio.fail_after(30):
            while (await status(node))["certificate"]["serial"] == first["serial"]:  # noqa: ASYNC110
                await trio.sleep(0.02)
        assert (await shown(address, place.root(), "new.example")).names == ("a.example", "new.example")


async def test_a_dry_run_changes_nothing(place: Place, tmp_path: Path) -> None:
    async with served(tmp_path / "data", settings(place)) as (node, address):
        first = await issued(node)
        found = (await node.call("certificate.issue", dry_run=True))["certificate"]
        assert found["serial"] != first["serial"]
        assert (await shown(address)).serial == first["serial"]
        assert len((await node.call("audit.list", action="certificate.issue"))["entries"]) == 1


async def test_a_renewal_that_was_early_is_noted(place: Place, tmp_path: Path) -> None:
    """After one, the authority's suggestion counts a day later only (see test_renewal.py)."""
    store = CertificateStore(tmp_path / "data/tls")
    async with served(tmp_path / "data", settings(place)) as (node, _):
        await issued(node)
        assert not store.state().early_at
        await node.call("certificate.issue")
        assert store.state().early_at


async def test_a_revoked_certificate_is_replaced(place: Place, tmp_path: Path) -> None:
    async with served(tmp_path / "data", settings(place)) as (node, address):
        first = await issued(node)
        root = await User.new(node, "root", admin=True)
        await root.call("certificate.revoke", reason="key_compromise")
        found = place.status_of(first["serial"])
        assert (found["Status"], found["Reason"]) == ("Revoked", 1)
        with trio.fail_after(30):
            while (await shown(address)).serial == first["serial"]:  # noqa: ASYNC110
                await trio.sleep(0.05)
        (entry,) = (await node.call("audit.list", action="certificate.revoke"))["entries"]
        assert (entry["actor"]["handle"], entry["details"]["reason"]) == ("root", "key_compromise")


@pytest.mark.parametrize("accounts", ["lost", "unreadable", "forgotten"])
async def test_a_certificate_is_revoked_without_its_account(place: Place, tmp_path: Path, accounts: str) -> None:
    """With its own key: who has to revoke it cannot wait until the account is found."""
    file = tmp_path / "data/tls/accounts.json"
    async with served(tmp_path / "data", settings(place)) as (node, _):
        serial = (await issued(node))["serial"]
        if accounts == "forgotten":
            file.write_text(file.read_text().replace("/my-account/", "/my-account/9"))
        else:
            file.unlink()
        if accounts == "unreadable":
            file.mkdir()
        await node.call("certificate.revoke", reason="key_compromise")
        assert place.status_of(serial)["Status"] == "Revoked"


async def test_health_tells_of_a_certificate_that_could_not_be_replaced(place: Place, tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with served(data, settings(place)) as (node, _):
        serial = (await issued(node))["serial"]
    async with served(data, settings(place, names=(REFUSED,))) as (node, _):
        found = await failed(node)
        assert f"it is not for {REFUSED}" in found["problem"]
        assert "rejectedIdentifier" in found["problem"]
        assert not (await node.health())[0]
    store = CertificateStore(data / "tls")
    store.save_state(State(place.directory, revoked=serial))
    config = settings(place)
    away = attrs.evolve(config, outbound=OutboundSettings())  # to ask the authority is not allowed
    async with served(data, away) as (node, _):
        assert "it is revoked" in (await failed(node))["problem"]
        assert not (await node.health())[0]


async def test_no_socket_is_lost_when_500_are_live(place: Place, tmp_path: Path) -> None:
    async with served(tmp_path / "data", settings(place)) as (node, address):
        first = await issued(node)
        ann = await User.new(node, "ann")
        token = (await ann.call("tokens.create"))["token"]
        room = await ann.group(title="all")
        sockets: list[ChatSocket] = []
        few, trust = trio.CapacityLimiter(20), place.root()

        async def open_one() -> None:
            async with few:
                sockets.append(await ChatSocket.signed_in(address, token, tls=trust, name="a.example"))

        async with trio.open_nursery() as nursery:
            for _ in range(500):
                nursery.start_soon(open_one)
        assert len(node.sessions) == 500
        texts = [str(number) for number in range(5)]
        async with trio.open_nursery() as nursery:
            for text in texts[:3]:
                nursery.start_soon(ann.says, room, text)
            renewed = (await node.call("certificate.issue"))["certificate"]
        for text in texts[3:]:
            await ann.says(room, text)
        assert renewed["serial"] != first["serial"]
        assert (await shown(address, place.root())).serial == renewed["serial"]
        for socket in sockets:
            heard = [(await socket.push("message.posted"))["message"]["text"] for _ in texts]
            assert sorted(heard) == texts
        assert len(node.sessions) == 500
        async with trio.open_nursery() as nursery:
            for socket in sockets:
                nursery.start_soon(trio.aclose_forcefully, socket.stream)


async def test_a_refusal_is_told_in_the_words_of_the_authority(place: Place, tmp_path: Path) -> None:
    async with served(tmp_path / "data", settings(place, names=("a.example", REFUSED))) as (node, address):
        found = await failed(node)
        assert REFUSED in found["problem"]
        assert "rejectedIdentifier" in found["problem"]
        healthy, parts = await node.health()
        assert not healthy
        assert "self-signed" in parts["certificate"]["reason"]
        assert "rejectedIdentifier" in parts["certificate"]["reason"]
        assert (await shown(address)).self_signed
        with pytest.raises(Refusal) as refused:
            await node.call("certificate.issue")
        assert "rejectedIdentifier" in refused.value.message
        assert (await status(node))["failures"] == 1


async def test_a_name_that_does_not_lead_here_is_named(place: Place, tmp_path: Path) -> None:
    config = settings(place)
    config = attrs.evolve(config, server=attrs.evolve(config.server, bind="127.0.0.1:0"))  # not where pebble looks
    async with served(tmp_path / "data", config) as (node, address):
        found = await failed(node)
        assert "a.example" in found["problem"]
        assert "Failed to connect" in found["problem"]
        assert CertificateStore(tmp_path / "data/tls").state().order is None
        assert (await shown(address)).self_signed


async def test_an_old_certificate_stays_when_the_new_one_cannot_be_stored(place: Place, tmp_path: Path) -> None:
    tls = tmp_path / "data/tls"
    async with served(tmp_path / "data", settings(place)) as (node, address):
        first = await issued(node)
        (tls / "certificate.pem.partial").mkdir()  # nothing can be written beside the old one
        orders = log_of(place).count("POST /order-plz")
        with pytest.raises(Refusal, match=r"certificate\.pem"):
            await node.call("certificate.issue")
        assert (await shown(address)).serial == first["serial"]
        assert log_of(place).count("POST /order-plz") > orders
        orders = log_of(place).count("POST /order-plz")
        (tls / "certificate.pem.partial").rmdir()
        second = (await node.call("certificate.issue"))["certificate"]
        assert log_of(place).count("POST /order-plz") == orders, "another order was placed"
        assert (await shown(address)).serial == second["serial"] != first["serial"]
        assert not (await status(node))["failures"]


async def test_the_command_line(place: Place, tmp_path: Path) -> None:
    data = tmp_path / "data"

    async def run(*words: str) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "chatnode", "--data", str(data), "acme", *words]
        with trio.fail_after(60):
            return await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False, cwd=ROOT)

    async with served(data, settings(place)) as (node, _):
        certificate = await issued(node)
        done = await run("status")
        assert (done.returncode, done.stderr) == (0, b"")
        assert certificate["serial"].encode() in done.stdout
        assert b"discarded" in (await run("issue", "--dry-run")).stdout
        done = await run("issue")
        assert b"in use for new connections" in done.stdout
        assert certificate["serial"].encode() not in done.stdout
        assert b"revoked: a.example" in (await run("revoke", "--reason", "superseded")).stdout


# ---- an authority that comes and goes


async def test_an_authority_that_is_away_at_the_start_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place.made_in(tmp_path / "pebble")
    monkeypatch.setenv("SSL_CERT_FILE", str(place.trust))
    async with served(tmp_path / "data", settings(place)) as (node, address):
        found = await failed(node)
        assert "refuses connections" in found["problem"]
        assert (await shown(address)).names == ("a.example",)
        ann = await User.new(node, "ann")
        async with await ChatSocket.signed_in(
            address, (await ann.call("tokens.create"))["token"], tls=anyone(), name="a.example"
        ) as chat:
            await chat.call("people.me")
        with running(place):
            await node.call("certificate.issue")
            first = await shown(address, place.root())
        with running(place):  # which has forgotten every account, and has another root
            await node.call("certificate.issue")
            assert (await shown(address, place.root())).serial != first.serial


async def test_accounts_that_are_bound_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place.made_in(tmp_path / "pebble")
    monkeypatch.setenv("SSL_CERT_FILE", str(place.trust))
    with running(place, binding=True):
        async with served(tmp_path / "without", settings(place)) as (node, _):
            assert "acme.eab_kid" in (await failed(node))["problem"]
        async with served(tmp_path / "wrong", settings(place, eab_kid=BINDING[0], eab_key="c2VjcmV0")) as (node, _):
            assert "127.0.0.1" in (await failed(node))["problem"]
        async with served(tmp_path / "with", settings(place, eab_kid=BINDING[0], eab_key=BINDING[1])) as (node, _):
            await issued(node)


async def test_a_certificate_is_renewed_when_it_is_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place.made_in(tmp_path / "pebble")
    monkeypatch.setenv("SSL_CERT_FILE", str(place.trust))
    with running(place, lifetime=9):
        async with served(tmp_path / "data", settings(place)) as (node, address):
            serials = {(await issued(node))["serial"]}
            with trio.fail_after(30):
                while len(serials) < 3:
                    found = await shown(address, place.root())  # valid at every moment
                    serials.add(found.serial)
                    await trio.sleep(0.1)
            assert not (await status(node))["failures"]


# ---- SIGKILL


def test_a_killed_node_goes_on_at_each_step(place: Place, tmp_path: Path) -> None:
    steps = tmp_path / "steps"
    words = [sys.executable, "-m", "tests.certificates.dying_node", str(tmp_path / "data"), str(steps)]
    words += [place.directory, place.address, str(place.tls_port)]
    done = subprocess.run(words, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    orders, kills = map(int, done.stdout.split())
    seen = steps.read_text().split()
    assert {
        "GET/dir", "HEAD/nonce-plz", "POST/sign-me-up", "POST/order-plz", "POST/my-order", "POST/authZ", "POST/chalZ",
        "POST/finalize-order", "POST/certZ", "saved/accounts.json", "saved/state.json", "saved/certificate.pem",
    } <= {each.partition("#")[0] for each in seen}  # fmt: skip
    assert len(seen) == len(set(seen)) == kills
    assert orders <= 3, "orders were placed again and again"
