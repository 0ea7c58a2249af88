"""TLS: the certificate must be valid for the name, and the version at least 1.2."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest
import trustme

from chatnode.outbound.errors import Blocked, Failed
from tests.outbound.sites import answer, answers, outbound, purpose, site


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """One that this machine trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "trusted.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
    return authority


def server_context(authority: trustme.CA, *names: str, **options: object) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, **options).configure_cert(context)  # type: ignore[arg-type]
    return context


NAMES = {"a.example": ["127.0.0.1"]}


async def failure(context: ssl.SSLContext, host: str = "a.example") -> str:
    async with site(tls=context) as there, outbound("127.0.0.1", f"[::1]:{there.port}", names=NAMES) as client:
        with pytest.raises(Failed) as failed:
            await client.request(purpose(ports=(there.port,)), "GET", there.url(host=host))
        await there.wait_closed()
        assert there.requests == []
        return failed.value.why


async def test_a_valid_certificate_is_accepted_and_the_connection_kept(authority: trustme.CA) -> None:
    context = server_context(authority, "a.example", "127.0.0.1")
    async with site(tls=context) as there, outbound("127.0.0.1", names=NAMES) as client:
        https = purpose(ports=(there.port,), https_only=True)
        for host in ("a.example", "127.0.0.1", "a.example"):
            answered = await client.request(https, "GET", there.url(host=host))
            assert answered.body == b"ok"
            assert answered.url.startswith("https://")
        assert there.connections == 2


async def test_certificates_that_are_not_valid_are_refused(authority: trustme.CA) -> None:
    other_name = server_context(authority, "b.example")
    assert "a.example" in await failure(other_name)
    by_number = server_context(authority, "a.example")
    assert "certificate" in await failure(by_number, "127.0.0.1")
    yesterday = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
    assert "expired" in await failure(server_context(authority, "a.example", not_after=yesterday))
    stranger = server_context(trustme.CA(), "a.example")
    assert "certificate" in await failure(stranger)


async def test_old_versions_are_refused(authority: trustme.CA) -> None:
    old = server_context(authority, "a.example")
    with pytest.warns(DeprecationWarning):
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    assert "TLS 1.2" in await failure(old)


async def test_a_server_without_tls_is_refused(authority: trustme.CA) -> None:
    async with site() as there, outbound(there.place) as client:
        with pytest.raises(Failed, match="TLS"):
            await client.request(purpose(), "GET", there.url().replace("http:", "https:"))


async def test_no_redirect_gives_tls_up(authority: trustme.CA) -> None:
    async with site() as plain:
        context = server_context(authority, "a.example")
        async with site(answers(answer(status=302, location=plain.url())), tls=context) as there:
            async with outbound("127.0.0.1", names=NAMES) as client:
                with pytest.raises(Blocked, match="from https to http"):
                    await client.request(
                        purpose(ports=(there.port, plain.port), redirects=3), "GET", there.url(host="a.example")
                    )
        assert plain.connections == 0
