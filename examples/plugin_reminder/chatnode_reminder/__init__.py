"""Reminder: users ask to be reminded of a message; when it is time, a bot mentions them in its conversation."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import attrs

from chatnode.api import (
    CHAT,
    Account,
    Context,
    Id,
    Metric,
    Plugin,
    Reader,
    Refusal,
    Step,
    Table,
    Task,
    Transaction,
    Whole,
    access_message,
    command,
    counted,
    hookimpl,
    now_ms,
    person_by_key,
    post_message,
    rfc3339,
    setting,
)

MOST_AT_ONCE = 100
"""Maximum number of reminders to post in one transaction."""


@attrs.frozen
class Settings:
    """Reminders."""

    look_seconds: float = setting(5.0, "How often to look for reminders that are due.", minimum=0.1)


# ---- the table: no text, only which user to remind of which message, and when

STEPS = (
    Step(
        "0001_due",
        # AUTOINCREMENT: a key is never reused, because the cid of the bot's message is derived from it.
        "CREATE TABLE reminder_due ("
        "key INTEGER PRIMARY KEY AUTOINCREMENT, person INTEGER NOT NULL REFERENCES people (key), "
        "message INTEGER NOT NULL REFERENCES messages (key), due_at INTEGER NOT NULL, UNIQUE (person, message));"
        "CREATE INDEX reminder_due_at ON reminder_due (due_at);"
        "CREATE INDEX reminder_due_message ON reminder_due (message);",
    ),
)
DUE = Table(
    "reminder_due",
    people=("person",),
    message="message",
    export="SELECT r.key, m.id AS message, r.due_at FROM reminder_due r JOIN messages m ON m.key = r.message "
    "WHERE r.person = :person AND r.key > :after ORDER BY r.key LIMIT :limit",
)


# ---- setting reminders


@attrs.define
class SetReminder:
    """The message, and the delay in seconds. Another request for the same message changes the time."""

    message: Id
    seconds: Annotated[int, Whole(0, 366 * 86_400)]


@attrs.define
class ReminderSet:
    """When the bot will post the reminder."""

    at: str


@command("reminder.set", permission=CHAT, limit="changes")
async def set_reminder(ctx: Context, asked: SetReminder) -> ReminderSet:
    """Be reminded of a message. The bot joins the conversation first, if you may add members to it."""
    bot = await _bot(ctx)
    place, _ = await ctx.read(lambda reader: access_message(reader, ctx.me, asked.message))
    if not await ctx.read(partial(_takes_part, conversation=place.key, person=bot.key)):
        await ctx.call("conversations.members.add", conversation=place.id, member=bot.id)

    def write(tx: Transaction) -> int:
        access_message(tx, ctx.me, asked.message)  # it may have been removed meanwhile
        (message,) = tx.execute("SELECT key FROM messages WHERE id = ?", (asked.message,)).fetchone()
        due_at = tx.now + asked.seconds * 1000
        tx.execute(
            "INSERT INTO reminder_due (person, message, due_at) VALUES (?, ?, ?) "
            "ON CONFLICT (person, message) DO UPDATE SET due_at = excluded.due_at",
            (ctx.me.key, message, due_at),
        )
        return due_at

    return ReminderSet(rfc3339(await ctx.write(write, repeatable=True)))


async def _bot(ctx: Context) -> Account:
    return await ctx.bot("reminder", "Reminder")


def _takes_part(reader: Reader, conversation: int, person: int) -> bool:
    row = reader.execute(
        "SELECT 1 FROM members WHERE conversation = ? AND person = ? AND left_gid IS NULL", (conversation, person)
    )
    return row.fetchone() is not None


# ---- posting reminders


async def remind(ctx: Context) -> str | None:
    """Post the reminders that are due. After a crash, the next run posts the rest; those already posted are gone."""
    now, said = now_ms(), 0
    while await ctx.read(partial(_is_due, now=now)):
        bot = await _bot(ctx)
        if bot.deactivated_at is not None:
            return "an administrator deactivated the bot; no reminders are posted"
        posted, dropped = await ctx.write(partial(_post_some, bot=bot, now=now), repeatable=True)
        ctx.count("dropped", dropped)
        said += posted
    return f"posted {counted(said, 'reminder')}" if said else None


def _is_due(reader: Reader, now: int) -> bool:
    return reader.execute("SELECT 1 FROM reminder_due WHERE due_at <= ? LIMIT 1", (now,)).fetchone() is not None


def _post_some(tx: Transaction, bot: Account, now: int) -> tuple[int, int]:
    """Post reminders and delete their rows in one transaction; returns the numbers posted and dropped."""
    rows = tx.execute(
        "SELECT r.key, r.person, m.id FROM reminder_due r JOIN messages m ON m.key = r.message "
        "WHERE r.due_at <= ? ORDER BY r.due_at LIMIT ?",
        (now, MOST_AT_ONCE),
    ).fetchall()
    refused = [tx.attempt(partial(_post, tx, bot, *row)) for row in rows]
    tx.executemany("DELETE FROM reminder_due WHERE key = ?", [(key,) for key, *_ in rows])
    dropped = sum(each is not None for each in refused)
    return len(rows) - dropped, dropped


def _post(tx: Transaction, bot: Account, key: int, person: int, message: str) -> None:
    """Raises `Refusal` if the user can no longer see the message, or the bot cannot post there."""
    user = person_by_key(tx, person)
    if user.deactivated_at is not None:
        raise Refusal("forbidden", "the user's account is deactivated")
    place, _ = access_message(tx, user, message)
    post_message(
        tx,
        bot,
        place.id,
        f"@{user.handle} you asked to be reminded",
        cid=f"reminder-{key}",
        reply_to=message if _sees(tx, bot, message) else None,
        metadata={"reminder.message": message},
    )


def _sees(tx: Transaction, bot: Account, message: str) -> bool:
    """Whether the bot can see the message: in a private group, not if it joined later."""
    return tx.attempt(partial(access_message, tx, bot, message)) is None


# ---- the declaration


@hookimpl
def chatnode_plugin() -> Plugin:
    """The declaration."""
    return Plugin(
        name="reminder",
        version="1.0",
        api="2.0",
        about="A bot reminds users of messages.",
        settings=Settings,
        steps=STEPS,
        tables=(DUE,),
        commands=(set_reminder,),
        tasks=(Task("remind", remind, every=lambda settings: settings.look_seconds),),
        metrics=(Metric("dropped", "Reminders that could not be posted."),),
    )
