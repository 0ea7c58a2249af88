"""Requests to an authority that fail: what is repeated, how often, and what is said in the end."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trustme

from chatnode.acme import renewal_info
from chatnode.acme.client import NONCE_REPEATS, REPEATS, AcmeClient, wait_after
from chatnode.acme.errors import AcmeError, AcmeProblem, AuthorityAway
from chatnode.acme.jws import AccountKey, unb64
from chatnode.acme.renewal_info import RenewalWindow
from chatnode.certificates import keeper, x509
from chatnode.certificates.store import AcmeAccount, CertificateStore, State
from chatnode.config import Config, OutboundSettings
from chatnode.model.times import rfc3339
from tests.certificates.serving import failed, served, settings, shown, status
from tests.outbound.sites import Site, answer, outbound, site
from tests.outbound.test_tls import server_context

Answer = Callable[[str, str], bytes]
"""What an authority answers to a method and a path."""


def problem(kind: str, status: int = 400, detail: str = "so it is", **headers: str) -> bytes:
    body = {"type": f"urn:ietf:params:acme:error:{kind}", "detail": detail}
    return answer(json.dumps(body).encode(), status, replay_nonce="n", **headers)


class Authority:
    """Answers as `said` says; directory and nonces by itself."""

    def __init__(self, said: Answer, date: float | None = None) -> None:
        self.said = said
        self.date = formatdate(time.time() if date is None else date, usegmt=True)
        self.asked: list[str] = []
        self.bodies: list[bytes] = []
        self.there: Site

    async def script(self, stream: trio.abc.Stream, request: bytes) -> None:
        method, path, _ = request.decode("latin-1").split(" ", 2)
        if path == "/directory":
            names = ("newNonce", "newAccount", "newOrder", "renewalInfo")
            body = json.dumps({name: self.there.url(f"/{name}") for name in names}).encode()
            await stream.send_all(answer(body, date=self.date))
        elif path == "/newNonce":
            await stream.send_all(answer(replay_nonce="n", date=self.date))
        else:
            self.asked.append(path)
            self.bodies.append(request.partition(b"\r\n\r\n")[2])
            await stream.send_all(self.said(method, path))


Use = Callable[[AcmeClient], Awaitable[Any]]


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "trusted.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
    return authority


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between tries, which are not waited for."""
    found: list[float] = []

    def noted(faults: int) -> float:
        found.append(wait_after(faults))
        return 0.0

    monkeypatch.setattr("chatnode.acme.client.wait_after", noted)
    return found


async def asked(trusted: trustme.CA, authority: Authority, use: Use) -> AcmeClient:
    """Raises what `use` raises, without the groups of the server's nursery."""
    failure: AcmeError | None = None
    async with site(authority.script, tls=server_context(trusted, "127.0.0.1")) as there:
        authority.there = there
        async with outbound(f"127.0.0.1:{there.port}") as way_out:
            client = AcmeClient(way_out, there.url("/directory"), AccountKey.of(x509.new_key()))
            await client.open()
            try:
                await use(client)
            except AcmeError as error:
                failure = error
    if failure is not None:
        raise failure
    return client


def order(client: AcmeClient) -> Awaitable[Any]:
    return client.post(client.endpoint("newOrder"), {})


async def test_forgotten_nonces_are_replaced_at_once(trusted: trustme.CA, waits: list[float]) -> None:
    left = [problem("badNonce")] * NONCE_REPEATS + [answer(b'{"fine": true}', 201)]
    authority = Authority(lambda method, path: left.pop(0))
    await asked(trusted, authority, order)
    assert len(authority.asked) == NONCE_REPEATS + 1
    assert waits == []
    always = Authority(lambda method, path: problem("badNonce"))
    with pytest.raises(AcmeProblem) as caught:
        await asked(trusted, always, order)
    assert caught.value.kind == "badNonce"
    assert len(always.asked) == NONCE_REPEATS + 1


async def test_faults_of_the_authority_are_repeated_ten_times(trusted: trustme.CA, waits: list[float]) -> None:
    authority = Authority(lambda method, path: problem("serverInternal", 500, "try later"))
    with pytest.raises(AcmeProblem, match=r"127\.0\.0\.1: try later \(serverInternal\)"):
        await asked(trusted, authority, order)
    assert len(authority.asked) == REPEATS + 1 == 11
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30]


async def test_a_refusal_is_final_and_has_the_words_of_the_authority(trusted: trustme.CA, waits: list[float]) -> None:
    body = {
        "type": "urn:ietf:params:acme:error:malformed",
        "detail": "some \x1b[31mnames",
        "subproblems": [{"detail": "is mine", "identifier": {"type": "dns", "value": "b.example"}}, 5],
    }
    authority = Authority(lambda method, path: answer(json.dumps(body).encode(), 403))
    with pytest.raises(AcmeProblem) as caught:
        await asked(trusted, authority, order)
    assert caught.value.words == "127.0.0.1: some  [31mnames (malformed); b.example: is mine"
    assert len(authority.asked) == 1


async def test_a_rate_limit_says_until_when(trusted: trustme.CA, waits: list[float]) -> None:
    authority = Authority(lambda method, path: problem("rateLimited", 429, retry_after="604800"))
    with pytest.raises(AcmeProblem) as caught:
        await asked(trusted, authority, order)
    assert (caught.value.kind, caught.value.retry_after) == ("rateLimited", 604_800)
    later = Authority(lambda method, path: problem("serverInternal", 503, retry_after="1800"))
    with pytest.raises(AcmeError) as caught_later:
        await asked(trusted, later, order)
    assert caught_later.value.retry_after == 1_800
    assert len(later.asked) == 1


async def test_an_authority_that_hangs_up_is_asked_again_and_given_up(trusted: trustme.CA, waits: list[float]) -> None:
    def hang_up(method: str, path: str) -> bytes:
        raise EOFError

    authority = Authority(hang_up)
    with pytest.raises(AuthorityAway, match="does not answer"):
        await asked(trusted, authority, order)
    assert len(authority.asked) == REPEATS + 1


async def test_what_is_no_authority_is_named(trusted: trustme.CA, waits: list[float]) -> None:
    for body in (b"<html>", b"[]", b'"text"', b""):
        authority = Authority(lambda method, path, body=body: answer(body, 201))  # type: ignore[misc]

        async def use(client: AcmeClient) -> None:
            reply = await order(client)
            with pytest.raises(AcmeError, match=r"acme\.directory"):
                _ = reply.json
            with pytest.raises(AcmeError):
                _ = reply.location
            with pytest.raises(AcmeError, match=r"acme\.directory"):
                client.endpoint("revokeCert")

        await asked(trusted, authority, use)


@pytest.mark.parametrize("ahead", [1e9, -9e5])
async def test_a_clock_that_is_off_is_noticed(trusted: trustme.CA, waits: list[float], ahead: float) -> None:
    async def nothing(client: AcmeClient) -> None:
        pass

    client = await asked(trusted, Authority(lambda method, path: b"", time.time() - ahead), nothing)
    assert abs(client.clock_ahead - ahead) < 60
    client = await asked(trusted, Authority(lambda method, path: b""), nothing)
    assert abs(client.clock_ahead) < 60


async def test_the_window_is_asked_for_by_the_name_of_the_certificate(trusted: trustme.CA, waits: list[float]) -> None:
    window = {"start": "2030-01-02T04:00:00Z", "end": "2030-01-03T04:00:00Z"}
    body = json.dumps({"suggestedWindow": window}).encode()
    authority = Authority(lambda method, path: answer(body, retry_after="21600"))

    async def use(client: AcmeClient) -> None:
        found, again = await renewal_info.suggested(client, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE")
        assert isinstance(found, RenewalWindow)
        assert (found.end - found.start, again) == (86_400, 21_600)

    await asked(trusted, authority, use)
    assert authority.asked == ["/renewalInfo/aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"]


# ---- a node with a certificate


def with_certificate(data: Path, trusted: trustme.CA, there: Site, early_at: float = 0.0) -> Config:
    """A node that obtained a certificate for 90 days from this authority, a moment ago. `early_at` as in `State`."""
    now, directory = datetime.now(UTC), there.url("/directory")
    issued = trusted.issue_cert("a.example", not_before=now, not_after=now + timedelta(days=90))
    store = CertificateStore(data / "tls")
    store.save_certificate(issued.private_key_and_cert_chain_pem.bytes())
    store.save_account(directory, AcmeAccount(x509.new_key(), there.url("/account/1")))
    store.save_state(State(directory, early_at=early_at))
    config = settings()
    acme = attrs.evolve(config.acme, directory=directory)
    return attrs.evolve(config, acme=acme, outbound=OutboundSettings(allow=(f"127.0.0.1:{there.port}",)))


def suggesting(start: timedelta) -> Answer:
    """Suggests to renew within a day from then on, and refuses everything else."""
    begin = datetime.now(UTC) + start
    window = {"start": begin.isoformat(), "end": (begin + timedelta(days=1)).isoformat()}
    suggestion = answer(json.dumps({"suggestedWindow": window}).encode())
    return lambda method, path: suggestion if path.startswith("/renewalInfo") else problem("rejectedIdentifier")


async def test_a_node_renews_when_the_authority_suggests(trusted: trustme.CA, tmp_path: Path) -> None:
    authority = Authority(suggesting(timedelta(days=-2)), date=time.time() - 7_200)
    async with site(authority.script, tls=server_context(trusted, "127.0.0.1")) as there:
        authority.there = there
        async with served(tmp_path / "data", with_certificate(tmp_path / "data", trusted, there)) as (node, address):
            found = await failed(node)
            certificate = await shown(address)
            payload = json.loads(unb64(json.loads(authority.bodies[1])["payload"]))
            assert payload["replaces"] == certificate.ari
            assert authority.asked[0] == f"/renewalInfo/{certificate.ari}"
            assert "problem" not in found  # there is plenty of time left
            healthy, parts = await node.health()
            assert healthy, parts
            assert found["next_try"] > certificate_time(time.time())


async def test_a_node_waits_for_the_time_that_the_authority_suggests(trusted: trustme.CA, tmp_path: Path) -> None:
    authority = Authority(suggesting(timedelta(days=70)))
    async with site(authority.script, tls=server_context(trusted, "127.0.0.1")) as there:
        authority.there = there
        async with served(tmp_path / "data", with_certificate(tmp_path / "data", trusted, there)) as (node, _):
            before, after = (certificate_time(time.time() + days * 86_400) for days in (70, 71))
            with trio.fail_after(10):
                while not before <= (await status(node))["next_try"] <= after:  # noqa: ASYNC110
                    await trio.sleep(0.02)
            assert all(path.startswith("/renewalInfo") for path in authority.asked)


async def test_the_authority_is_asked_again_though_the_clock_was_set_back(
    trusted: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewal_info, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(renewal_info, "_LEAST_SECONDS", 0.1)
    monkeypatch.setattr(keeper, "LONGEST_SLEEP", 0.02)
    right, ahead = time.time, 10 * 86_400.0
    monkeypatch.setattr(time, "time", lambda: right() + ahead)
    authority = Authority(suggesting(timedelta(days=70)))
    async with site(authority.script, tls=server_context(trusted, "127.0.0.1")) as there:
        authority.there = there
        config = with_certificate(tmp_path / "data", trusted, there)
        async with served(tmp_path / "data", config):
            await asked_more_than(authority, 0)
            ahead = 0.0
            await asked_more_than(authority, len(authority.asked))


async def asked_more_than(authority: Authority, times: int) -> None:
    with trio.fail_after(10):
        while len(authority.asked) <= times:  # noqa: ASYNC110
            await trio.sleep(0.02)


async def test_a_window_that_has_always_passed_brings_one_certificate_a_day(
    trusted: trustme.CA, tmp_path: Path
) -> None:
    authority = Authority(suggesting(timedelta(days=-2)))
    async with site(authority.script, tls=server_context(trusted, "127.0.0.1")) as there:
        authority.there = there
        now = time.time()
        config = with_certificate(tmp_path / "data", trusted, there, early_at=now)
        async with served(tmp_path / "data", config) as (node, _):
            with trio.fail_after(10):
                while (await status(node))["next_try"] != certificate_time(now + 86_400):  # noqa: ASYNC110
                    await trio.sleep(0.02)
            assert all(path.startswith("/renewalInfo") for path in authority.asked)


async def test_a_certificate_that_was_not_renewed_in_time_is_told_with_the_reason(
    trusted: trustme.CA, tmp_path: Path
) -> None:
    authority = Authority(lambda method, path: problem("caa", detail="CAA forbids it"), date=time.time() - 7_200)
    async with site(authority.script, tls=server_context(trusted, "127.0.0.1")) as there:
        authority.there = there
        config = with_certificate(tmp_path / "data", trusted, there)
        now = datetime.now(UTC)
        old = trusted.issue_cert("a.example", not_before=now - timedelta(days=61), not_after=now + timedelta(days=29))
        CertificateStore(tmp_path / "data/tls").save_certificate(old.private_key_and_cert_chain_pem.bytes())
        async with served(tmp_path / "data", config) as (node, _):
            await failed(node)
            healthy, parts = await node.health()
            assert not healthy
            reason = parts["certificate"]["reason"]
            for words in ("a.example: expires in 29.0 days", "CAA forbids it (caa)", "next try at", "ahead of"):
                assert words in reason


def certificate_time(seconds: float) -> str:
    return rfc3339(int(seconds) * 1000)
