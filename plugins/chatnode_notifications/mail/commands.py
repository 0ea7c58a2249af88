"""Commands on the address that a user's mails go to, and a test for the operator."""

from __future__ import annotations

from chatnode.api import CHAT, OPERATE, Account, Context, Nothing, Querying, Refusal, command, new_id
from chatnode_notifications.mail import mailboxes
from chatnode_notifications.mail.addresses import read_address
from chatnode_notifications.mail.composing import code_mail, mail_for_test, site_of
from chatnode_notifications.mail.mailboxes import NewCode
from chatnode_notifications.mail.model import (
    AddMailbox,
    MailboxReply,
    TestMail,
    TestMailReply,
    VerifyMailbox,
)
from chatnode_notifications.mail.words import ENGLISH, MailWords, words_in
from chatnode_notifications.settings import NotificationsSettings

LIMIT = "notification_codes"


@command("notifications.mailbox.get", permission=CHAT, reads=True)
async def get_mailbox(ctx: Context, asked: Nothing) -> MailboxReply:
    """The address that your emails go to, and one that waits for its code."""
    return await _shown(ctx)


@command("notifications.mailbox.add", permission=CHAT, limit=LIMIT, repeatable=True)
async def add_mailbox(ctx: Context, asked: AddMailbox) -> MailboxReply:
    """Send a code to an address, for `notifications.mailbox.verify`. Nothing else is sent to it until then.

    An address that you already use is told about it, and stays in use until the new one is verified. Another code is
    sent to the same address after a minute at the earliest.
    """
    _check_user(ctx)
    if not ctx.mail.enabled:
        raise Refusal("conflict", "this node sends no email: no mail server is set up")
    address, person = read_address(asked.address), ctx.me
    most = ctx.settings(NotificationsSettings).mail_codes_per_day
    new = await ctx.write(lambda tx: mailboxes.start_adding(tx, person, address, most))
    if new is not None:
        words = await ctx.read(lambda reader: _words_of(reader, person.key))
        await _send_code(ctx, person, words, new)
    return await _shown(ctx)


async def _send_code(ctx: Context, person: Account, words: MailWords, new: NewCode) -> None:
    """Raises `Refusal` if the mail server does not take it."""
    result = await ctx.mail.send(code_mail(site_of(ctx), words, new_id(), new.code), new.address)
    if result.outcome == "sent":
        await ctx.write(lambda tx: mailboxes.confirm_code(tx, new))
        return
    refused = result.outcome == "never"
    await ctx.write(lambda tx: mailboxes.forget_code(tx, person.key, new, refused=refused))
    if refused:
        raise Refusal("invalid", f"the mail server refuses this address ({result.code})", path="address")
    raise Refusal("unavailable", "the code could not be sent; try again later", retry_after=60)


@command("notifications.mailbox.verify", permission=CHAT)
async def verify_mailbox(ctx: Context, asked: VerifyMailbox) -> MailboxReply:
    """Use the address whose code this is. A code is valid for 15 minutes and five tries."""
    code, person = "".join(asked.code.split()), ctx.me
    refusal = await ctx.write(lambda tx: mailboxes.verify(tx, person, code))
    if refusal is not None:
        raise refusal
    return await _shown(ctx)


@command("notifications.mailbox.remove", permission=CHAT, repeatable=True)
async def remove_mailbox(ctx: Context, asked: Nothing) -> MailboxReply:
    """Forget your addresses: no more emails are sent to you."""
    person = ctx.me.key
    await ctx.write(lambda tx: mailboxes.remove(tx, person))
    return await _shown(ctx)


@command("notifications.mail.test", permission=OPERATE, limit=LIMIT)
async def send_test_mail(ctx: Context, asked: TestMail) -> TestMailReply:
    """Send a test email to an address; returns what the mail server answered."""
    if not ctx.mail.enabled:
        raise Refusal("conflict", "no mail server is set up; set mail.host and mail.sender in config.toml")
    address = read_address(asked.address)
    result = await ctx.mail.send(mail_for_test(site_of(ctx), ENGLISH, new_id()), address)
    return TestMailReply(result.outcome, result.code, result.why)


def _check_user(ctx: Context) -> None:
    if ctx.me.bot:
        raise Refusal("forbidden", "a bot gets no notifications, so it has no email address")


def _words_of(reader: Querying, person: int) -> MailWords:
    row = reader.execute("SELECT language FROM notifications_people WHERE person = ?", (person,)).fetchone()
    return words_in(row[0] if row is not None else None)


async def _shown(ctx: Context) -> MailboxReply:
    person, enabled = ctx.me.key, ctx.mail.enabled
    return await ctx.read(lambda reader: mailboxes.show(reader, person, enabled=enabled))


COMMANDS = (get_mailbox, add_mailbox, verify_mailbox, remove_mailbox, send_test_mail)
