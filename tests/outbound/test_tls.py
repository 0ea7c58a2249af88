"""TLS: the certificate must be valid for the name, and the version at least 1.2."""

from __future__ import annotations

import datetime
import ssl
import warnings
from functools import partial
from pathlib import Path

import pytest
import trio
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

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


def self_signed(directory: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a.example")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(
        now + datetime.timedelta(days=1)
    )
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("a.example")]), critical=False)
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    file = directory / "self-signed.pem"
    file.write_bytes(pem + builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
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


async def test_certificates_that_are_not_valid_are_refused(authority: trustme.CA, tmp_path: Path) -> None:
    other_name = server_context(authority, "b.example")
    assert "Hostname mismatch" in await failure(other_name)
    by_number = server_context(authority, "a.example")
    assert "address mismatch" in await failure(by_number, "127.0.0.1")
    yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    assert "expired" in await failure(server_context(authority, "a.example", not_after=yesterday))
    stranger = server_context(trustme.CA(), "a.example")
    assert "issuer" in await failure(stranger)
    assert "self-signed" in await failure(self_signed(tmp_path))


async def test_old_versions_are_refused(authority: trustme.CA) -> None:
    old = server_context(authority, "a.example")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    assert "TLS 1.2" in await failure(old)


async def test_a_server_without_tls_is_refused(authority: trustme.CA) -> None:
    async def plain(stream: trio.abc.Stream) -> None:
        await stream.receive_some()
        await stream.send_all(answer(b"hello", status=400))

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, plain, 0, host="127.0.0.1"))
        port = listeners[0].socket.getsockname()[1]
        async with outbound(f"127.0.0.1:{port}") as client:
            with pytest.raises(Failed, match="does not offer TLS"):
                await client.request(purpose(), "GET", f"https://127.0.0.1:{port}/")
        nursery.cancel_scope.cancel()


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
