"""What the commands on mailboxes take and give."""

from __future__ import annotations

from typing import Annotated, Literal

from chatnode.api import Text, record

Address = Annotated[str, Text(254, 3)]


@record
class Mailbox:
    """The address that the user's emails go to. `bounced`: the mail server refused it for good, and it gets no more
    emails until it is added again; `last_error` says why, or why the last email was not sent."""

    address: str
    state: Literal["active", "bounced"]
    verified_at: str
    last_ok_at: str | None = None
    last_error: str | None = None


@record
class MailboxReply:
    """`mailbox` is absent if no address is verified. `pending` is an address whose code is to be typed until
    `pending_until`. `enabled`: this node can send email."""

    enabled: bool
    mailbox: Mailbox | None = None
    pending: str | None = None
    pending_until: str | None = None


@record
class AddMailbox:
    address: Address


@record
class VerifyMailbox:
    """`code` has 6 digits; spaces are ignored."""

    code: Annotated[str, Text(20, 1)]


@record
class TestMail:
    address: Address


@record
class TestMailReply:
    """`sent`: the mail server has it; `later`: it may work later; `never`: the server refuses this recipient. `code` is
    the server's reply, such as `550 5.1.1`."""

    outcome: Literal["sent", "later", "never"]
    code: str = ""
    why: str = ""
