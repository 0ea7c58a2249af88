"""Mail by the operator's SMTP server."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import trio

from chatnode.addresses import is_loopback
from chatnode.concurrency import Signal
from chatnode.config import MailSettings
from chatnode.errors import StartError
from chatnode.logs import get_logger
from chatnode.metrics import Metrics
from chatnode.outbound.mail_result import MailResult as MailResult
from chatnode.outbound.mail_result import Outcome as Outcome

if TYPE_CHECKING:
    from email.message import EmailMessage

    from chatnode.outbound.smtp import SmtpConnection

T = TypeVar("T")
logger = get_logger("mail")

LONGEST_SECONDS = 900.0
"""For one mail, however slowly the server replies: no other mail is sent meanwhile."""
KEPT_SECONDS = 60.0
KEPT_MAILS = 100
"""How long, and for how many mails, a connection is kept."""
CLOSING_SECONDS = 2.0
"""For the farewell to the server when the node stops."""


class Mailer:
    """One per node. Use on the trio thread: SMTP is spoken in a thread, one email at a time."""

    def __init__(self, settings: MailSettings, metrics: Metrics) -> None:
        """Raises `StartError` for settings that contradict each other."""
        check_mail_settings(settings)
        self._settings = settings
        self._metrics = metrics
        self._turn = trio.Lock()
        self._thread = trio.CapacityLimiter(1)
        self._connection: SmtpConnection | None = None
        self._used = Signal()
        self._problem: str | None = None

    @property
    def enabled(self) -> bool:
        """Whether the operator has set a server."""
        return bool(self._settings.host)

    @property
    def sender(self) -> str:
        """The address that emails come from."""
        return self._settings.sender

    @property
    def problem(self) -> str | None:
        """Why the server could not be used when it was last tried; None if it could."""
        return self._problem

    async def send(self, message: EmailMessage, to: str) -> MailResult:
        """Send an email to one recipient; `From`, `To` and `Date` are added if they are missing.

        Raises nothing of SMTP. If it is cancelled, the mail may be sent all the same.
        """
        if not self.enabled:
            return MailResult("later", why="the setting mail.host is empty")
        async with self._turn:
            result = MailResult("later", why=f"the mail server took more than {LONGEST_SECONDS:.0f} s")
            try:
                with trio.move_on_after(LONGEST_SECONDS) as scope:
                    result = await self._in_thread(lambda connection: connection.send(message, to))
            except trio.Cancelled:
                self._break_off()
                raise
            if scope.cancelled_caught:
                self._break_off()
        self._metrics.mails[result.outcome] += 1
        self._look_at_problem()
        self._used.notify()
        return result

    async def run(self) -> None:
        """Close the connection when it was kept for long enough; until cancelled."""
        while True:
            while self._connection is None or not self._connection.is_open:
                await self._used.wait()
            await trio.sleep(KEPT_SECONDS)
            await self._in_thread(lambda connection: connection.close_if_old())

    async def aclose(self) -> None:
        """Close the connection that is kept. A mail that is being sent is broken off."""
        if self._connection is None:
            return
        with trio.move_on_after(CLOSING_SECONDS, shield=True):
            if self._thread.borrowed_tokens:
                self._break_off()
            await self._in_thread(lambda connection: connection.close())

    async def _in_thread(self, function: Callable[[SmtpConnection], T]) -> T:
        """A thread that is left behind, because its caller was cancelled, keeps its place: the next one waits."""
        return await trio.to_thread.run_sync(
            lambda: function(self._connect()), limiter=self._thread, abandon_on_cancel=True
        )

    def _connect(self) -> SmtpConnection:
        if self._connection is None:
            # Imported for the first mail: most nodes send none.
            from chatnode.outbound.smtp import SmtpConnection

            self._connection = SmtpConnection(self._settings, KEPT_SECONDS, KEPT_MAILS)
        return self._connection

    def _break_off(self) -> None:
        if self._connection is not None:
            self._connection.break_off()

    def _look_at_problem(self) -> None:
        """Log when the server stops working, and when it works again."""
        problem = self._connection.problem if self._connection is not None else None
        if problem != self._problem:
            self._problem = problem
            if problem is not None:
                logger.warning("email cannot be sent: %s", problem)
            else:
                logger.info("email can be sent again")


def check_mail_settings(settings: MailSettings) -> None:
    """Raises `StartError` for settings that contradict each other, or have no effect."""
    if not settings.host:
        return
    if not settings.sender:
        raise StartError("mail.host is set, but mail.sender is empty; set the address that emails come from")
    if bool(settings.user) != bool(settings.password_file):
        missing, given = ("mail.user", "mail.password_file")[:: -1 if settings.user else 1]
        raise StartError(f"{given} is set, but {missing} is empty; set both, or none to send without signing in")
    if settings.user and settings.security == "none" and not _is_local(settings.host):
        raise StartError("mail.security is none, so mail.password_file would be sent in the clear; use starttls or tls")


def _is_local(host: str) -> bool:
    return host == "localhost" or is_loopback(host)
