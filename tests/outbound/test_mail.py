"""Mail, with a real SMTP server beside the test: what is sent, what is refused, and what may be tried again."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Generator
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme

from chatnode.config import MailSettings
from chatnode.errors import StartError
from chatnode.metrics import Metrics
from chatnode.outbound import mail as module
from chatnode.outbound.mail import Mailer
from chatnode.testing import configured
from tests.outbound.mail_server import DIE, DROP, HANG, LINGER, MailServer

BOB = "bob@example.net"


def a_mail(subject: str = "hello", text: str = "How are you?\n") -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["Subject"] = subject
    message["Message-ID"] = f"<{subject}@example.org>"
    message.set_content(text)
    return message


def mailer(server: MailServer, **settings: Any) -> Mailer:
    wanted: dict[str, Any] = {
        "host": "127.0.0.1", "port": server.port, "security": "none", "sender": "chat@example.org",
        "timeout_seconds": 5.0, **settings,
    }  # fmt: skip
    return Mailer(MailSettings(**wanted), Metrics())


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[MailServer]:
    server = MailServer(tmp_path_factory.mktemp("mail") / "server")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def server(running: MailServer) -> MailServer:
    """One for all tests of this module that do not end it."""
    running.says()
    running.forget()
    return running


# ---- what is sent


async def test_a_mail_arrives_as_it_is(server: MailServer) -> None:
    mails = mailer(server)
    text = "Grüße, 你好 👋\n.\nA line with a dot alone is no end.\n" + "long " * 400 + "\n"
    assert await mails.send(a_mail("first", text), BOB) == module.MailResult("sent", "250 2.0.0")
    await mails.aclose()
    (received,) = server.mails()
    assert (received.sender, received.recipients) == ("chat@example.org", [BOB])
    assert (received.message["From"], received.message["To"]) == ("chat@example.org", BOB)
    assert received.message["Date"].datetime is not None
    assert received.part("plain") == text
    assert received.raw.isascii()
    assert max(map(len, received.raw.split(b"\r\n"))) < 998


async def test_the_message_of_the_caller_stays_as_it_is(server: MailServer) -> None:
    mails, message = mailer(server), a_mail()
    before = message.as_bytes()
    await mails.send(message, BOB)
    await mails.send(message, "eve@example.net")
    await mails.aclose()
    assert message.as_bytes() == before
    assert [received.message["To"] for received in server.mails()] == [BOB, "eve@example.net"]


async def test_one_connection_serves_many_mails(server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    mails = mailer(server)
    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(mails.send, a_mail(str(number)), BOB)
    assert server.verbs().count("CONNECT") == 1
    await mails.aclose()
    monkeypatch.setattr(module, "KEPT_MAILS", 2)
    mails = mailer(server)
    for number in range(5):
        await mails.send(a_mail(str(number)), BOB)
    await mails.aclose()
    assert server.verbs().count("CONNECT") == 1 + 3
    assert len(server.mails()) == 10


async def test_a_connection_is_closed_when_it_is_old(server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_SECONDS", 0.05)
    mails = mailer(server)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mails.run)
        await mails.send(a_mail(), BOB)
        connection = mails._connection  # pyright: ignore[reportPrivateUsage]
        assert connection is not None
        with trio.fail_after(20):
            while connection.is_open:  # noqa: ASYNC110 -- closed by another task
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert (await mails.send(a_mail(), BOB)).outcome == "sent"
    await mails.aclose()
    assert server.verbs().count("CONNECT") == 2


async def test_a_connection_that_the_server_has_closed_is_replaced(server: MailServer) -> None:
    mails = mailer(server)
    await mails.send(a_mail("one"), BOB)
    for reply in (DROP, "421 4.4.2 idle for too long"):
        server.says(RSET=[reply])
        assert (await mails.send(a_mail("two"), BOB)).outcome == "sent"
    await mails.aclose()
    assert len(server.mails()) == 3
    assert server.verbs().count("CONNECT") == 3


# ---- what is refused


FINAL = [
    ("RCPT", "550 5.1.1 <bob@example.net>: no such user", "never", "550 5.1.1"),
    ("RCPT", "550 no", "never", "550"),
    ("RCPT", "450 4.2.1 greylisted", "later", "450 4.2.1"),
    ("RCPT", "501 5.1.3 Bad recipient address syntax", "never", "501 5.1.3"),
    ("RCPT", "501 Syntax error in parameters", "never", "501"),
    ("RCPT", "504 5.1.2 domain not found", "never", "504 5.1.2"),
    ("DATA", "554 5.7.1 spam", "never", "554 5.7.1"),
    ("DATA", "451 4.3.0 try again", "later", "451 4.3.0"),
    ("END", "552 5.3.4 too much", "never", "552 5.3.4"),
    ("END", "452 4.3.1 disk is full", "later", "452 4.3.1"),
]
OF_THE_SERVER = [
    ("CONNECT", "554 5.3.2 not now"), ("CONNECT", "421 4.3.2 too many connections"), ("CONNECT", DROP),
    ("EHLO", "421 4.3.2 going down"), ("EHLO", "550 5.7.1 who are you"), ("EHLO", DROP),
    ("MAIL", "421 4.3.2 going down"), ("MAIL", "450 4.3.2 slow down"), ("MAIL", "550 5.7.1 not your address"),
    ("MAIL", DROP), ("RCPT", "421 4.3.2 going down"), ("RCPT", "530 5.7.0 sign in first"), ("RCPT", DROP),
    ("RCPT", "501 5.1.7 bad sender"), ("RCPT", "501 5.5.4 no such parameter"), ("RCPT", "503 5.5.1 need MAIL"),
    ("DATA", "421 4.3.2 going down"), ("DATA", DROP), ("DATA", "250 2.0.0 taken"),
    ("END", "421 4.3.2 going down"), ("END", DROP),
    ("RCPT", "nonsense"),
]  # fmt: skip


@pytest.mark.parametrize(("verb", "reply", "outcome", "code"), FINAL)
async def test_a_reply_about_the_mail_is_its_outcome(
    server: MailServer, verb: str, reply: str, outcome: str, code: str
) -> None:
    mails = mailer(server)
    server.says(**{verb: [reply]})
    result = await mails.send(a_mail(), BOB)
    assert (result.outcome, result.code) == (outcome, code)
    assert mails.problem is None
    assert BOB not in result.why
    # What was refused does not stand in the way of the next one, on the same connection.
    assert (await mails.send(a_mail("next"), BOB)).outcome == "sent"
    await mails.aclose()
    assert server.verbs().count("CONNECT") == 1


@pytest.mark.parametrize(("verb", "reply"), OF_THE_SERVER)
async def test_trouble_with_the_server_is_no_ones_bounce(
    server: MailServer, caplog: pytest.LogCaptureFixture, verb: str, reply: str
) -> None:
    mails = mailer(server)
    replies = [reply, reply] if verb == "EHLO" else [reply]  # HELO is tried when EHLO is refused
    server.says(**{verb: replies})
    with caplog.at_level(logging.INFO, "chatnode.mail"):
        result = await mails.send(a_mail(), BOB)
        assert result.outcome == "later"
        assert mails.problem
        assert mails.problem == result.why
        server.says()
        assert (await mails.send(a_mail(), BOB)).outcome == "sent"
    assert mails.problem is None
    await mails.aclose()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert BOB not in caplog.text


@pytest.mark.parametrize(
    "address", ["", "bob", "bob@", "@example.net", "bob@example.net>\r\nRCPT TO:<eve@example.net", "a b@example.net",
    "<bob@example.net>", "grüße@example.net", "bob@münchen.example", '"b b"@example.net', "x" * 250 + "@example.net"],
)  # fmt: skip
async def test_what_is_no_address_reaches_no_server(server: MailServer, address: str) -> None:
    mails = mailer(server)
    assert (await mails.send(a_mail(), address)).outcome == "never"
    assert server.verbs() == []


async def test_no_server_no_mail() -> None:
    mails = Mailer(MailSettings(), Metrics())
    assert not mails.enabled
    assert (await mails.send(a_mail(), BOB)).outcome == "later"
    await mails.aclose()


# ---- a server that ends


async def test_a_server_is_killed_and_comes_back(tmp_path: Path) -> None:
    server = MailServer(tmp_path / "server")
    server.start()
    mails = mailer(server)
    assert (await mails.send(a_mail("before"), BOB)).outcome == "sent"
    server.kill()
    for _ in range(2):
        assert (await mails.send(a_mail("meanwhile"), BOB)).outcome == "later"
    server.start()
    server.says(END=DIE)  # it takes the mail, and dies before it says so
    assert (await mails.send(a_mail("crash"), BOB)).outcome == "later"
    server.wait_until_dead()
    server.says()
    server.start()
    assert (await mails.send(a_mail("crash"), BOB)).outcome == "sent"
    await mails.aclose()
    server.kill()
    ids = [received.id for received in server.mails()]
    assert ids == ["<before@example.org>", "<crash@example.org>", "<crash@example.org>"]


async def test_a_server_that_says_nothing_holds_up_a_mail_for_the_timeout_alone() -> None:
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    async with listener:
        port = listener.socket.getsockname()[1]
        mails = Mailer(
            MailSettings(host="127.0.0.1", port=port, security="none", sender="a@example.org", timeout_seconds=1.0),
            Metrics(),
        )
        result = await mails.send(a_mail(), BOB)
        assert result.outcome == "later"
        assert "in time" in result.why
        await mails.aclose()


async def test_a_server_that_judges_a_mail_before_it_replies_gets_it_once(server: MailServer) -> None:
    mails = mailer(server, timeout_seconds=1.0)
    server.says(END=[LINGER])
    assert (await mails.send(a_mail("..dots", "a\n.b\n..\n.\n"), BOB)).outcome == "sent"
    await mails.aclose()
    (received,) = server.mails()
    assert received.part("plain") == "a\n.b\n..\n.\n"


async def test_closing_breaks_off_what_hangs(server: MailServer) -> None:
    mails = mailer(server, timeout_seconds=3_600.0)
    assert (await mails.send(a_mail("first"), BOB)).outcome == "sent"
    server.says(MAIL=[HANG])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mails.send, a_mail(), BOB)
        with trio.fail_after(20):
            while "MAIL" not in server.verbs()[-1:]:  # noqa: ASYNC110 -- what another process does
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    with trio.fail_after(20):
        assert (await mails.send(a_mail("last"), BOB)).outcome == "sent"
        await mails.aclose()


# ---- TLS and signing in


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """An authority that the system trusts."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return authority


def certified(authority: trustme.CA, directory: Path, name: str = "localhost") -> str:
    path = directory / f"{name}.pem"
    authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(path)
    return str(path)


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_over_tls_with_a_password(tmp_path: Path, trusted: trustme.CA, security: str) -> None:
    secret = tmp_path / "password"
    secret.write_text("open sesame\n")
    server = MailServer(tmp_path / "server")
    certificate = certified(trusted, tmp_path)
    server.start(certificate=certificate, tls=security == "tls", user="chat", password="open sesame")
    mails = mailer(server, host="localhost", security=security, user="chat", password_file=str(secret))
    assert await mails.send(a_mail(), BOB) == module.MailResult("sent", "250 2.0.0")
    await mails.aclose()

    # The password is read again for each connection.
    secret.write_text("wrong")
    result = await mails.send(a_mail(), BOB)
    assert (result.outcome, result.code) == ("later", "535 5.7.8")
    assert "cannot sign in" in result.why
    secret.unlink()
    assert f"cannot read {secret}" in (await mails.send(a_mail(), BOB)).why
    secret.write_text("")
    assert "is empty" in (await mails.send(a_mail(), BOB)).why
    secret.write_text("open sesame")

    # A name that is not in the certificate; an authority that nobody trusts.
    other = mailer(server, host="127.0.0.1", security=security, user="chat", password_file=str(secret))
    assert "certificate is not valid" in (await other.send(a_mail(), BOB)).why
    server.kill()
    server.start(
        certificate=certified(trustme.CA(), tmp_path), tls=security == "tls", user="chat", password="open sesame"
    )
    assert "certificate is not valid" in (await mails.send(a_mail(), BOB)).why
    server.kill()
    assert len(server.mails()) == 1


async def test_without_starttls_nothing_is_sent(server: MailServer) -> None:
    mails = mailer(server, host="localhost", security="starttls")
    result = await mails.send(a_mail(), BOB)
    assert result.outcome == "later"
    assert "does not offer STARTTLS" in result.why
    assert not {"MAIL", "RCPT", "DATA"} & set(server.verbs())
    assert server.mails() == []


# ---- settings


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"host": "mail.example.org"}, "mail.sender is empty"),
        ({"host": "m.example", "sender": "a@b.example", "user": "u"}, "mail.password_file is empty"),
        ({"host": "m.example", "sender": "a@b.example", "password_file": "p"}, "mail.user is empty"),
        (
            {"host": "m.example", "sender": "a@b.example", "user": "u", "password_file": "p", "security": "none"},
            "in the clear",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(StartError, match=words):
        Mailer(configured(mail=settings).mail, Metrics())


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("host", "mail.example.org:587", "the port is mail.port"),
        ("host", "two words", "is not a valid host name"),
        ("sender", "Chat <chat@example.org>", "without a name"),
        ("sender", "chat", "expected an address"),
        ("security", "ssl", "expected one of starttls, tls, none"),
        ("port", 0, "the minimum is 1"),
    ],
)
def test_a_wrong_setting_is_named(key: str, value: Any, words: str) -> None:
    with pytest.raises(StartError, match=words) as caught:
        configured(mail={key: value})
    assert f"mail.{key}" in str(caught.value)


def test_addresses_of_servers_are_read() -> None:
    for written, read in (("MAIL.example.org", "mail.example.org"), ("[::1]", "::1"), ("10.0.0.5", "10.0.0.5")):
        assert configured(mail={"host": written}).mail.host == read


def test_smtp_is_imported_for_the_first_mail() -> None:
    program = "import sys, chatnode.outbound.mail; assert 'smtplib' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
