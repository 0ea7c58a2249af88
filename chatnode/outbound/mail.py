"""Mail by the operator's SMTP server."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Literal

import attrs

from chatnode.config import MailSettings
from chatnode.metrics import Metrics

Outcome = Literal["sent", "later", "never"]


@attrs.frozen
class MailResult:
    """What became of a mail: `sent`, the server has it; `later`, it may be tried again; `never`, it will not be taken
    for this recipient. `code` is the SMTP reply's number and its enhanced code, such as `550 5.1.1`, empty without a
    reply; `why` is one line for people, without addresses."""

    outcome: Outcome
    code: str = ""
    why: str = ""


class Mailer:
    """One per node. Use on the trio thread: SMTP is spoken in a thread, one mail at a time."""

    def __init__(self, settings: MailSettings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics

    @property
    def enabled(self) -> bool:
        """Whether the operator has set a server."""
        return bool(self._settings.host)

    @property
    def sender(self) -> str:
        """The address that mails come from."""
        return self._settings.sender

    async def send(self, message: EmailMessage, to: str) -> MailResult:
        """Send a mail to one recipient; `From` and `To` are added if they are missing. Raises nothing of SMTP."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Close the connection that is kept."""
