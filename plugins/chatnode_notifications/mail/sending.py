"""Sending mails: what is due is claimed, made into words, handed to the mail server, and its outcome stored.

A mail has the same Message-ID each time it is tried, so one whose outcome was lost, because the node was killed, is the
same mail again to those who got it. While the server cannot be used at all, everything waits.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from email.message import EmailMessage
from typing import TypeVar

import trio

from chatnode.api import Context, MailResult, Querying, Transaction, now_ms, person_by_key, record
from chatnode_notifications.mail import mailboxes
from chatnode_notifications.mail.composing import MailLook, alert_mail, notice_mail, site_of
from chatnode_notifications.mail.keys import mail_key, make_mail_key
from chatnode_notifications.mail.rows import (
    SECOND_MS,
    MailboxRow,
    MailRow,
    active_mailbox,
    claim_mails,
    end_mail,
    items_of_mail,
)
from chatnode_notifications.mail.scheduling import drop_old_mails, make_digests, make_instant_mails, next_due
from chatnode_notifications.mail.unsubscribing import unsubscribe_url
from chatnode_notifications.mail.words import words_in
from chatnode_notifications.notes import Note, notes_of
from chatnode_notifications.preferences.zones import zone_or_utc
from chatnode_notifications.settings import NotificationsSettings

T = TypeVar("T")

WAITS = (10, 60, 300, 900, 3_600, 7_200, 14_400, 28_800)
"""Seconds before further attempts of a mail, give or take a fifth; the last one until it is too old."""
_LOOK_SECONDS = 15.0
"""How often at least it is looked whether a mail is due: new items do not wake the task, and clocks are set."""
_SHORTEST_REST = 0.1
_AT_ONCE = 20
_CLAIM_MS = 60 * SECOND_MS
"""When a mail without an outcome is due again: its node was killed."""
_SHORTEST_PAUSE, _LONGEST_PAUSE = 10.0, 300.0
"""Seconds to leave a mail server alone that cannot be used."""
_GRACE_SECONDS = 3.0
"""For the mail that is being sent when the node stops, so that it is not sent twice."""
_LEVELS = ("nothing", "sender", "full")


async def send_mails(ctx: Context) -> None:
    """The task: until cancelled."""
    pause = _SHORTEST_PAUSE
    while True:
        if ctx.mail.enabled and not await send_due(ctx):
            await trio.sleep(pause)
            pause = min(_LONGEST_PAUSE, 2 * pause)
            continue
        pause = _SHORTEST_PAUSE
        await trio.sleep(await _rest(ctx))


async def _rest(ctx: Context) -> float:
    """Seconds until it is to be looked again."""
    settings, now = ctx.settings(NotificationsSettings), now_ms()
    due = await ctx.read(lambda reader: next_due(reader, settings, now)) if ctx.mail.enabled else None
    return _LOOK_SECONDS if due is None else min(_LOOK_SECONDS, max(_SHORTEST_REST, (due - now) / SECOND_MS))


async def send_due(ctx: Context) -> bool:
    """Make the mails that are due, and send them; returns whether the mail server could be used."""
    settings = ctx.settings(NotificationsSettings)
    now = now_ms()
    due = await ctx.read(lambda reader: next_due(reader, settings, now))
    if due is None or due > now:
        return True
    await ctx.write(lambda tx: drop_old_mails(tx, settings), repeatable=True)
    while await ctx.write(lambda tx: make_instant_mails(tx, settings), repeatable=True):
        pass
    while await ctx.write(lambda tx: make_digests(tx, settings), repeatable=True):
        pass
    while mails := await ctx.write(lambda tx: claim_mails(tx, _AT_ONCE, _CLAIM_MS), repeatable=True):
        for index, mail in enumerate(mails):
            result = await _finish(lambda mail=mail: _send(ctx, mail))
            if result is not None and result.outcome == "later" and ctx.mail.problem is not None:
                rest = [other.key for other in mails[index + 1 :]]
                await ctx.write(lambda tx, rest=rest: _release(tx, rest))
                return False
    return True


def _release(tx: Transaction, mails: Sequence[int]) -> None:
    """They were claimed, but not tried."""
    tx.executemany(
        "UPDATE notifications_mails SET attempts = attempts - 1, due_at = ? WHERE key = ? AND state = 'pending'",
        [(tx.now, mail) for mail in mails],
    )


async def _finish(function: Callable[[], Awaitable[T]]) -> T:
    """Run it to its end, for up to `_GRACE_SECONDS` also when the task is cancelled meanwhile."""
    shield = trio.CancelScope(shield=True)

    async def limit_when_cancelled() -> None:
        try:
            await trio.sleep_forever()
        finally:
            shield.deadline = trio.current_time() + _GRACE_SECONDS

    async with trio.open_nursery() as nursery:
        nursery.start_soon(limit_when_cancelled)
        await trio.lowlevel.checkpoint()
        with shield:
            result = await function()
            nursery.cancel_scope.cancel()
            return result
    raise trio.TooSlowError  # the task is being cancelled, and this was too slow for it


# ---- one mail


@record(frozen=True)
class _Ready:
    """A mail with what its words are made of; `notes` is empty if there is nobody or nothing to tell any more."""

    mail: MailRow
    mailbox: MailboxRow | None
    look: MailLook
    notes: Sequence[Note]
    unsubscribe: str


def _prepare(ctx: Context, reader: Querying, mail: MailRow, key: bytes) -> _Ready:
    """Everything is judged again at each attempt: who may still see what, and who still wants mails."""
    account = person_by_key(reader, mail.person)
    row = reader.execute(
        "SELECT mail, zone, language, content FROM notifications_people WHERE person = ?", (mail.person,)
    ).fetchone()
    wanted, zone, language, content = row if row is not None else ("off", None, None, "full")
    most = ctx.settings(NotificationsSettings).max_content
    look = MailLook(words_in(language), zone_or_utc(zone), min(content, most, key=_LEVELS.index))
    mailbox = active_mailbox(reader, mail.person)
    if mail.kind == "notice":
        return _Ready(mail, mailbox, look, (), "")
    if mailbox is None or mail.kind != wanted:
        return _Ready(mail, mailbox, look, (), "")
    link = unsubscribe_url(ctx, key, account.id, mailbox.address, mail.kind)
    notes = notes_of(reader, items_of_mail(reader, mail.key), ctx.base_url)
    told = [notes[item] for item in sorted(notes) if notes[item].person == mail.person]
    return _Ready(mail, mailbox, look, told, link)


async def _send(ctx: Context, mail: MailRow) -> MailResult | None:
    """Send it and store the outcome; None if there was nothing to send."""
    key = await ctx.read(mail_key) or await ctx.write(make_mail_key)
    ready = await ctx.read(lambda reader: _prepare(ctx, reader, mail, key))
    address = mail.address or (ready.mailbox.address if ready.mailbox is not None else None)
    if address is None or not (ready.notes or mail.kind == "notice"):
        await ctx.write(lambda tx: end_mail(tx, mail.key, "suppressed"))
        return None
    try:
        message = _compose(ctx, ready)
    except Exception as error:  # one that cannot be made must not hold up the others; its words are in no log
        ctx.log.error("an email could not be composed: %s", type(error).__name__)
        await ctx.write(lambda tx: end_mail(tx, mail.key, "failed", error="it could not be composed"))
        return None
    result = await ctx.mail.send(message, address)
    await ctx.write(lambda tx: _store(tx, ready, result))
    if result.outcome == "sent":
        ctx.count("mails_sent")
    return result


def _compose(ctx: Context, ready: _Ready) -> EmailMessage:
    site, mail, look = site_of(ctx), ready.mail, ready.look
    if mail.kind == "notice":
        return notice_mail(site, look.words, mail.id)
    return alert_mail(
        site, look, mail.id, ready.notes, digest=mail.kind == "digest",
        most_lines=ctx.settings(NotificationsSettings).mail_lines, unsubscribe=ready.unsubscribe,
    )  # fmt: skip


def _store(tx: Transaction, ready: _Ready, result: MailResult) -> None:
    mail = ready.mail
    mailbox = ready.mailbox if mail.address is None else None
    if result.outcome == "sent":
        end_mail(tx, mail.key, "sent", result.code)
        tx.executemany(
            "UPDATE notifications_items SET mailed_at = ? WHERE key = ?", [(tx.now, note.key) for note in ready.notes]
        )
        if mailbox is not None:
            mailboxes.note_sent(tx, mailbox)
    elif result.outcome == "never":
        bounced = mailbox is not None and mailboxes.note_refused(tx, mailbox, result.code, result.why)
        end_mail(tx, mail.key, "bounced" if bounced else "failed", result.code, result.why)
    else:
        _postpone(tx, mail, result)
        if mailbox is not None:
            mailboxes.note_failed(tx, mailbox, "the mail server did not accept the last email; it will be retried")


def _postpone(tx: Transaction, mail: MailRow, result: MailResult) -> None:
    wait = WAITS[min(mail.attempts, len(WAITS) - 1)] * random.uniform(0.8, 1.2)
    tx.execute(
        "UPDATE notifications_mails SET due_at = ?, code = ?, error = ? WHERE key = ?",
        (tx.now + int(wait * SECOND_MS), result.code or None, result.why or None, mail.key),
    )
