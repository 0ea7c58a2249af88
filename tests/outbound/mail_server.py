"""A real SMTP server (aiosmtpd) in a process of its own, which does as a test says, and can be killed and brought back.

The process serves what this module's `main` says. A test's words for it are in files of one directory: `script.json`
has the reply to each verb, `log` the verbs that were spoken, and each mail that was taken has a file.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

import attrs

ROOT = Path(__file__).parents[2]
DROP, DIE, HANG, LINGER = "drop", "die", "hang", "linger"
"""In place of a reply: the connection is broken, the whole server ends as if it were killed, nothing is said; or a mail
is taken, and that is said after 1.5 s."""
Replies = str | Sequence[str | None] | None


@attrs.frozen
class Received:
    """A mail that the server has taken."""

    sender: str
    recipients: list[str]
    message: EmailMessage
    raw: bytes

    @property
    def id(self) -> str:
        return str(self.message["Message-ID"])

    def part(self, subtype: str) -> str:
        """The text of the `plain` or the `html` part."""
        found = self.message.get_body((subtype,))
        assert found is not None
        return str(found.get_content()).replace("\r\n", "\n")


class MailServer:
    """What a test holds. `says(RCPT="550 5.1.1 no")` sets the replies from now on; a list is used up one by one, and
    None in it, as without an entry, is the server's own reply. Verbs are CONNECT, EHLO, STARTTLS, MAIL, RCPT, DATA,
    RSET, and END, which is the reply to the mail's text."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "mails").mkdir(parents=True)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self._options: dict[str, Any] = {}
        self.says()

    def start(self, **options: Any) -> None:
        """Until it listens. Options: `certificate` (a PEM file), `tls` (from the first byte), `user`, `password`.
        Without options, those of the last time."""
        self._options = options or self._options
        words = json.dumps({**self._options, "port": self.port, "directory": str(self.directory)})
        command = [sys.executable, "-m", "tests.outbound.mail_server", words]
        with (self.directory / "errors").open("ab") as errors:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors)
        assert self._process.stdout is not None
        with self._process.stdout as told:
            line = told.readline()
        assert line, (self.directory / "errors").read_text()
        self.port = int(line)

    def kill(self) -> None:
        """As the kernel does: nothing is answered any more."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def wait_until_dead(self) -> None:
        """After DIE."""
        assert self._process is not None
        self._process.wait(30)
        self._process = None

    def says(self, **replies: Replies) -> None:
        whole = self.directory / "script.new"
        whole.write_text(json.dumps({**replies, "set_at": time.monotonic_ns()}))
        whole.rename(self.directory / "script.json")

    def mails(self) -> list[Received]:
        """In the order in which they were taken."""
        return [_received(path) for path in sorted((self.directory / "mails").glob("*.json"))]

    def forget(self) -> None:
        """The mails and verbs so far."""
        for path in [*(self.directory / "mails").iterdir(), self.directory / "log"]:
            path.unlink(missing_ok=True)

    def verbs(self) -> list[str]:
        """What clients did, CONNECT among it."""
        log = self.directory / "log"
        return log.read_text().split() if log.exists() else []


def _received(path: Path) -> Received:
    found = json.loads(path.read_text())
    raw = found["content"].encode("latin-1")
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return Received(found["sender"], found["recipients"], message, raw)


# ---- in the process of its own


async def main(options: Mapping[str, Any]) -> None:
    from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

    directory = Path(options["directory"])
    used: dict[str, int] = {}
    script: dict[str, Any] = {}

    def reply_to(verb: str) -> str | None:
        with (directory / "log").open("a") as log:
            log.write(f"{verb}\n")
        found = json.loads((directory / "script.json").read_text())
        if found != script:
            script.clear()
            script.update(found)
            used.clear()
        reply = script.get(verb)
        if isinstance(reply, list):
            those = cast("list[str | None]", reply)
            number = used[verb] = used.get(verb, 0) + 1
            return those[number - 1] if number <= len(those) else None
        return reply

    class Scripted(SMTP):
        transport: Any

        async def instead(self, verb: str) -> bool:
            """Whether the script has answered."""
            reply = reply_to(verb)
            if reply == DROP:
                self.transport.abort()
            elif reply == DIE:
                os._exit(9)
            elif reply == HANG:
                await asyncio.sleep(3_600)
            elif reply is not None:
                await self.push(reply)
            return reply is not None

        async def push(self, status: Any) -> None:
            if isinstance(status, str) and status.startswith("220 ") and self.__ident__ in status:
                reply = reply_to("CONNECT")
                if reply == DROP:
                    self.transport.abort()
                    return
                status = reply or status
            await super().push(status)

        async def smtp_EHLO(self, hostname: str) -> None:
            if not await self.instead("EHLO"):
                await super().smtp_EHLO(hostname)

        async def smtp_HELO(self, hostname: str) -> None:
            if not await self.instead("EHLO"):
                await super().smtp_HELO(hostname)

        async def smtp_STARTTLS(self, arg: str) -> None:
            if not await self.instead("STARTTLS"):
                await super().smtp_STARTTLS(arg)

        async def smtp_MAIL(self, arg: str | None) -> None:
            if not await self.instead("MAIL"):
                await super().smtp_MAIL(arg)

        async def smtp_RCPT(self, arg: str | None) -> None:
            if not await self.instead("RCPT"):
                await super().smtp_RCPT(arg)

        async def smtp_RSET(self, arg: str) -> None:
            if not await self.instead("RSET"):
                await super().smtp_RSET(arg)

        async def smtp_DATA(self, arg: str) -> None:
            if not await self.instead("DATA"):
                await super().smtp_DATA(arg)

    class Handler:
        async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
            """A server that dies or breaks the connection now has taken the mail."""
            reply = reply_to("END")
            if reply in (None, DROP, DIE, LINGER) or reply.startswith("2"):
                _store(directory / "mails", envelope)
            if reply == DIE:
                os._exit(9)
            if reply == DROP:
                server.transport.abort()
            if reply == LINGER:
                await asyncio.sleep(1.5)
            return reply if reply not in (None, DROP, LINGER) else "250 2.0.0 taken"

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        wanted = LoginPassword(options["user"].encode(), options["password"].encode())
        return AuthResult(success=data == wanted, handled=False)

    def context() -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(options["certificate"])
        return made

    at_once, certificate = options.get("tls", False), options.get("certificate")
    further: dict[str, Any] = {}
    if certificate and not at_once:
        further = {"tls_context": context(), "require_starttls": True}
    if "user" in options:
        further |= {"authenticator": authenticate, "auth_require_tls": False}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Scripted(Handler(), hostname="mail.example.org", ident="test", loop=loop, **further),
        "127.0.0.1", options["port"], ssl=context() if at_once else None,
    )  # fmt: skip
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def _store(directory: Path, envelope: Any) -> None:
    number = len(list(directory.iterdir()))
    stored = {
        "sender": envelope.mail_from,
        "recipients": envelope.rcpt_tos,
        "content": envelope.original_content.decode("latin-1"),
    }
    whole = directory / f"{number:06}.new"
    whole.write_text(json.dumps(stored))
    whole.rename(directory / f"{number:06}.json")


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
