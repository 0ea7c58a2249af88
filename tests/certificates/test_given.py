"""Certificates in files: what another program renews is taken up while the node serves."""

from __future__ import annotations

import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import pytest
import trio
import trustme

from chatnode.certificates import contexts, given
from chatnode.config import Config, Server
from chatnode.errors import StartError
from chatnode.testing import User
from tests.certificates.serving import served, shown, status
from tests.transport.clients import ChatSocket, Http


@attrs.frozen
class Files:
    """Like those of certbot: links that lead to another file after each renewal."""

    folder: Path
    authority: trustme.CA

    @property
    def certificate(self) -> Path:
        return self.folder / "fullchain.pem"

    @property
    def key(self) -> Path:
        return self.folder / "privkey.pem"

    def renew(self, number: int, days: float = 90, *, key: bool = True, certificate: bool = True) -> trustme.LeafCert:
        issued = self.authority.issue_cert("localhost", not_after=datetime.now(UTC) + timedelta(days=days))
        self.put(number, issued, key=key, certificate=certificate)
        return issued

    def put(self, number: int, issued: trustme.LeafCert, *, key: bool = True, certificate: bool = True) -> None:
        chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
        for link, data, wanted in (
            (self.certificate, chain, certificate),
            (self.key, issued.private_key_pem.bytes(), key),
        ):
            if wanted:
                file = self.folder / f"{number}-{link.name}"
                file.write_bytes(data)
                beside = self.folder / "link"
                beside.symlink_to(file)
                os.replace(beside, link)

    @property
    def config(self) -> Config:
        return Config(
            server=Server(
                bind="127.0.0.1:0", tls_certificate=str(self.certificate), tls_key=str(self.key), shutdown_seconds=1.0
            )
        )  # fmt: skip

    @property
    def trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    monkeypatch.setattr(given, "LOOK_SECONDS", 0.05)
    (tmp_path / "live").mkdir()
    return Files(tmp_path / "live", trustme.CA())


MISTAKES = {
    "no chain": ("chain", None, "fullchain.pem cannot be read: No such file or directory"),
    "no key": ("key", None, "privkey.pem cannot be read: No such file or directory"),
    "an empty chain": ("chain", b"", "fullchain.pem has no certificate"),
    "a chain in DER": ("chain", b"0\x82\x01", "fullchain.pem has no certificate"),
    "an empty key": ("key", b"", "privkey.pem has no private key"),
    "a key with a passphrase": (
        "key", b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMII=\n-----END ENCRYPTED PRIVATE KEY-----\n",
        "privkey.pem has a passphrase; write the key without one: openssl pkey",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("file", "content", "why"), MISTAKES.values(), ids=MISTAKES)
def test_the_file_at_fault_is_named(files: Files, file: str, content: bytes | None, why: str) -> None:
    files.renew(1)
    path = files.certificate if file == "chain" else files.key
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StartError, match=why):
        contexts.of_files(str(files.certificate), str(files.key))


def test_a_chain_that_begins_with_another_certificate_is_said_to(files: Files) -> None:
    issued = files.renew(1)
    files.certificate.write_bytes(files.authority.cert_pem.bytes() + issued.cert_chain_pems[0].bytes())
    with pytest.raises(StartError, match=r"not the key of the first certificate in server\.tls_certificate"):
        contexts.of_files(str(files.certificate), str(files.key))


async def test_a_certificate_with_nothing_but_a_common_name_is_reported(files: Files, tmp_path: Path) -> None:
    """Browsers have ignored that since 2017; programs of one's own still write such certificates."""
    files.put(1, files.authority.issue_cert(common_name="localhost"))
    async with served(tmp_path / "data", files.config) as (node, _):
        problem = (await status(node))["problem"]
    assert problem.startswith("the certificate: expires in ")
    assert "names no host" in problem


async def test_new_files_are_taken_up_and_sockets_stay(files: Files, tmp_path: Path) -> None:
    files.renew(1)
    async with served(tmp_path / "data", files.config) as (node, address):
        first = (await shown(address, files.trust, "localhost")).serial
        assert (await status(node))["source"] == "files"
        ann = await User.new(node, "ann")
        token = (await ann.call("tokens.create"))["token"]
        async with await ChatSocket.signed_in(address, token, tls=files.trust) as chat:
            files.renew(2)
            with trio.fail_after(10):
                while (await shown(address, files.trust, "localhost")).serial == first:  # noqa: ASYNC110
                    await trio.sleep(0.02)
            await chat.call("people.me")
        found = await shown(address, files.trust, "localhost")
        assert (await status(node))["certificate"]["serial"] == found.serial


async def test_half_a_renewal_waits_for_the_other_half(
    files: Files, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files.renew(1)
    async with served(tmp_path / "data", files.config) as (_, address):
        first = (await shown(address, files.trust, "localhost")).serial
        issued = files.renew(2, key=False)
        with trio.fail_after(10):
            while "stays in use" not in caplog.text:  # noqa: ASYNC110
                await trio.sleep(0.02)
        assert (await shown(address, files.trust, "localhost")).serial == first
        files.put(2, issued, certificate=False)
        with trio.fail_after(10):
            while (await shown(address, files.trust, "localhost")).serial == first:  # noqa: ASYNC110
                await trio.sleep(0.02)


async def test_files_that_cannot_be_used_are_tried_until_they_can_be(
    files: Files, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a new key may not be read until `chmod`, which changes neither what is in it nor its time."""
    files.renew(1)
    may_read, of_files = False, contexts.of_files

    def of_readable_files(certificate: str, key: str) -> ssl.SSLContext:
        if not may_read:
            raise StartError(f"{key}: Permission denied")
        return of_files(certificate, key)

    async with served(tmp_path / "data", files.config) as (node, address):
        first = (await shown(address, files.trust, "localhost")).serial
        monkeypatch.setattr(contexts, "of_files", of_readable_files)
        files.renew(2)
        with trio.fail_after(10):
            while (await node.health())[0]:  # noqa: ASYNC110
                await trio.sleep(0.02)
        assert "Permission denied" in (await node.health())[1]["certificate"]["reason"]
        assert caplog.text.count("stays in use") == 1
        may_read = True
        with trio.fail_after(10):
            while (await shown(address, files.trust, "localhost")).serial == first:  # noqa: ASYNC110
                await trio.sleep(0.02)
        assert (await node.health())[0]


@pytest.mark.parametrize(("days", "said"), [(90.0, None), (5.0, "expires in 5.0 days"), (-1.0, "has expired")])
async def test_health_and_metrics_tell_of_a_certificate_that_runs_out(
    files: Files, tmp_path: Path, days: float, said: str | None
) -> None:
    files.renew(1, days + 0.01)
    async with served(tmp_path / "data", files.config) as (node, address):
        healthy, parts = await node.health()
        assert healthy == (said is None)
        assert (said or "") in parts["certificate"].get("reason", "")
        trust = files.trust
        if days < 0:
            trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
        async with await Http.open(address, tls=trust) as http:
            page = (await http.request("GET", "/metrics")).raw
        (line,) = [each for each in page.splitlines() if each.startswith(b"chatnode_certificate_expires_seconds ")]
        assert abs(float(line.split()[1]) - (days + 0.01) * 86_400) < 60
