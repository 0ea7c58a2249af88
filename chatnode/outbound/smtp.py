"""SMTP with the operator's server; blocking, for one thread at a time.

Only replies about the recipient or the mail itself are final. Whatever fails before that, also by a 5xx reply, is the
node's or the server's fault, and may pass: the name, the certificate, signing in, the sender's address.

The exceptions of `smtplib` are `OSError`s.
"""

from __future__ import annotations

import os
import re
import smtplib
import socket
import ssl
import time
from contextlib import suppress
from copy import deepcopy
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path

import truststore

from chatnode.addresses import is_mail_address
from chatnode.config import MailSettings
from chatnode.outbound.mail_result import MailResult, Outcome

_ENHANCED = re.compile(rb"[245]\.\d{1,3}\.\d{1,3}(?![\d.])")
_DOT = re.compile(rb"^\.", re.MULTILINE)
FINAL_REPLY_SECONDS = 600.0
"""To wait for the reply to an email's text. Some servers scan it before they reply, and a client that gives up earlier
sends it again (RFC 5321, section 4.5.3.2.6; RFC 1047)."""
_OF_THE_NODE = frozenset((500, 501, 502, 503, 504, 521, 530, 534, 535, 538))
"""Replies with 5xx that blame the command, the session or signing in, not the recipient (RFC 5321, 4954, 7504)."""
_OF_THE_ADDRESS = re.compile(r"501|5\d\d 5\.1\.(?!7|8)\d+")
"""Replies to RCPT that blame its parameter, the address, whatever their number is (RFC 3463, 3.2)."""


class ServerFault(Exception):
    """The server cannot be used now; `code` is that of its reply, if there was one."""

    def __init__(self, why: str, code: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.code = code


class SmtpConnection:
    """A connection that is opened when it is needed, and kept for up to `seconds` and `mails`.

    `problem` is why the server could not be used when it was last tried, None if it could.
    """

    def __init__(self, settings: MailSettings, seconds: float, mails: int) -> None:
        self._settings = settings
        self._seconds = seconds
        self._most_mails = mails
        self._smtp: smtplib.SMTP | None = None
        self._mails = 0
        self._opened_at = 0.0
        self.problem: str | None = None

    @property
    def is_open(self) -> bool:
        return self._smtp is not None

    def send(self, message: EmailMessage, to: str) -> MailResult:
        """Hand one mail over. Raises nothing of SMTP."""
        if not is_mail_address(to):
            return MailResult("never", why="email cannot be sent to this address")
        data = self._bytes_of(message, to)
        try:
            return self._hand_over(self._ready(), data, to)
        except ServerFault as fault:
            self._drop()
            self.problem = fault.why
            return MailResult("later", fault.code, fault.why)
        except OSError as error:
            self._drop()
            self.problem = f"the connection to {self._place} broke: {_words(error)}"
            return MailResult("later", why=self.problem)

    def close_if_old(self) -> None:
        """Close it if it was kept for long enough."""
        if self._is_old():
            self.close()

    def close(self) -> None:
        """Take leave of the server, and close."""
        if self._smtp is not None:
            with suppress(OSError):
                self._smtp.quit()
        self._drop()

    def break_off(self) -> None:
        """Make the thread that uses the connection fail at once. May be called in any other thread."""
        smtp = self._smtp
        sock = smtp.sock if smtp is not None else None
        if sock is not None:
            with suppress(OSError, ValueError):
                sock.shutdown(socket.SHUT_RDWR)

    # ---- one mail

    def _bytes_of(self, message: EmailMessage, to: str) -> bytes:
        """The mail in 7-bit ASCII, which every server takes."""
        complete = deepcopy(message)
        for name, value in (("From", self._settings.sender), ("To", to), ("Date", formatdate())):
            if name not in complete:
                complete[name] = value
        return complete.as_bytes(policy=complete.policy.clone(cte_type="7bit", linesep="\r\n"))

    def _hand_over(self, smtp: smtplib.SMTP, data: bytes, to: str) -> MailResult:
        self._mails += 1
        size = [f"size={len(data)}"] if smtp.has_extn("size") else []
        reply = smtp.mail(self._settings.sender, size)
        if not _is_good(reply[0]):
            raise ServerFault(f"{self._place} refused the sender {self._settings.sender}", _code_of(*reply))
        reply = smtp.rcpt(to)
        refused = "the recipient"
        if _is_good(reply[0]):
            refused = "the email"
            reply = smtp.docmd("DATA")
            if reply[0] == 354:
                reply = self._send_text(smtp, data)
            elif _is_good(reply[0]):
                raise ServerFault(f"{self._place} accepted an email before receiving its text", _code_of(*reply))
        return self._result(refused, *reply)

    def _send_text(self, smtp: smtplib.SMTP, data: bytes) -> tuple[int, bytes]:
        """The text of a mail, whose lines end with CRLF, and the reply to it."""
        smtp.send(_DOT.sub(b"..", data) + (b".\r\n" if data.endswith(b"\r\n") else b"\r\n.\r\n"))
        assert smtp.sock is not None
        smtp.sock.settimeout(max(FINAL_REPLY_SECONDS, self._settings.timeout_seconds))
        reply = smtp.getreply()
        smtp.sock.settimeout(self._settings.timeout_seconds)
        return reply

    def _result(self, refused: str, number: int, text: bytes) -> MailResult:
        code = _code_of(number, text)
        of_address = refused == "the recipient" and _OF_THE_ADDRESS.fullmatch(code) is not None
        if number in (421, -1) or (number in _OF_THE_NODE and not of_address):
            raise ServerFault(f"{self._place} ended the conversation", code)
        self.problem = None
        outcome: Outcome = "sent" if _is_good(number) else "never" if 500 <= number < 600 else "later"
        return MailResult(outcome, code, "" if outcome == "sent" else f"the mail server refused {refused} ({code})")

    # ---- the connection

    @property
    def _place(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    def _is_old(self) -> bool:
        return self._mails >= self._most_mails or time.monotonic() - self._opened_at >= self._seconds

    def _ready(self) -> smtplib.SMTP:
        """A connection that works, signed in. Raises `ServerFault`."""
        if self._smtp is not None and self._is_old():
            self.close()
        if self._smtp is not None and not _still_works(self._smtp):
            self._drop()
        if self._smtp is None:
            self._open()
        assert self._smtp is not None
        return self._smtp

    def _open(self) -> None:
        password = self._password()
        try:
            smtp = self._connected()
        except OSError as error:
            raise ServerFault(f"cannot connect to {self._place}: {_words(error)}", _code_in(error)) from None
        self._smtp, self._mails, self._opened_at = smtp, 0, time.monotonic()
        self._secure(smtp)
        if self._settings.user:
            self._sign_in(smtp, password)

    def _connected(self) -> smtplib.SMTP:
        settings = self._settings
        # The sender's domain exists, as servers may check; the machine's own name often does not.
        name = settings.sender.rpartition("@")[2]
        if settings.security == "tls":
            return smtplib.SMTP_SSL(
                settings.host, settings.port, name, timeout=settings.timeout_seconds, context=_tls()
            )
        return smtplib.SMTP(settings.host, settings.port, name, timeout=settings.timeout_seconds)

    def _secure(self, smtp: smtplib.SMTP) -> None:
        """Greet the server, and begin TLS if the settings want that: without it, nothing is sent."""
        try:
            smtp.ehlo_or_helo_if_needed()
            if self._settings.security == "starttls":
                smtp.starttls(context=_tls())
                smtp.ehlo_or_helo_if_needed()
        except smtplib.SMTPNotSupportedError:
            raise ServerFault(f"{self._place} does not offer STARTTLS, which mail.security requires") from None
        except OSError as error:
            raise ServerFault(f"cannot begin with {self._place}: {_words(error)}", _code_in(error)) from None

    def _sign_in(self, smtp: smtplib.SMTP, password: str) -> None:
        try:
            smtp.login(self._settings.user, password)
        except smtplib.SMTPNotSupportedError:
            raise ServerFault(f"{self._place} does not offer sign-in, but mail.user is set") from None
        except UnicodeError:
            raise ServerFault("mail.user and its password must consist of ASCII characters") from None
        except OSError as error:
            raise ServerFault(f"cannot sign in at {self._place}: {_words(error)}", _code_in(error)) from None

    def _password(self) -> str:
        """Read at each connection, so that a new one is used without a restart. Raises `ServerFault`."""
        if not self._settings.user:
            return ""
        file = Path(os.environ.get("CREDENTIALS_DIRECTORY", ""), self._settings.password_file)
        try:
            password = file.read_text(encoding="utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise ServerFault(f"mail.password_file: {file} is not UTF-8 text") from None
        except OSError as error:
            raise ServerFault(f"mail.password_file: cannot read {file}: {error.strerror}") from None
        if not password:
            raise ServerFault(f"mail.password_file: {file} is empty")
        return password

    def _drop(self) -> None:
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            with suppress(OSError):
                smtp.close()


def _tls() -> ssl.SSLContext:
    """Verifies the server's certificate by the system's authorities."""
    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _still_works(smtp: smtplib.SMTP) -> bool:
    """Servers close idle connections; RSET also ends what a refused mail left."""
    try:
        return _is_good(smtp.rset()[0])
    except OSError:
        return False


def _is_good(number: int) -> bool:
    return 200 <= number < 300


def _code_of(number: int, text: bytes) -> str:
    """`550 5.1.1`; the enhanced code (RFC 3463) is left out if the reply has none."""
    enhanced = _ENHANCED.match(text)
    if number < 0:
        return ""
    return f"{number} {enhanced[0].decode()}" if enhanced is not None else str(number)


def _code_in(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return _code_of(error.smtp_code, _as_bytes(error.smtp_error))
    return ""


def _as_bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def _words(error: Exception) -> str:
    """What happened, without the server's own words: they may repeat an address."""
    if isinstance(error, smtplib.SMTPResponseException):
        return f"it answered {_code_in(error) or 'something other than SMTP'}"
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return "it closed the connection, or did not answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or 'unknown'}"
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return type(error).__name__
