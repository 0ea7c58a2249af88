"""What users have invoked: slash commands of bots and plugins, and buttons. Who invoked what is kept for a day.

A bot learns of it by a durable event that is its own, while that is fresh, and may answer for a while. If a bot does
not answer a command, the user is told: after some seconds that it has not yet, and in the end that it did not.
"""

from __future__ import annotations

from typing import Any

from chatnode.config import BotSettings
from chatnode.counting import counted
from chatnode.errors import Refusal
from chatnode.model.bots import NoticeStatus
from chatnode.model.events import ActionInvoked, SlashInvoked
from chatnode.model.ids import new_id
from chatnode.model.people import Account
from chatnode.model.records import record
from chatnode.model.slash import parse_slash
from chatnode.model.times import DAY_MS, now_ms, rfc3339
from chatnode.storage.bots import notices
from chatnode.storage.bots.notices import NewNotice
from chatnode.storage.engine.additions import CoreTable, EventKind
from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.engine.row import Row
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people import people

MINUTE_MS = 60_000


@record
class Invocation:
    """A stored invocation. `person`, `bot` and `conversation` are keys, `message` is the id of a button's message;
    times are in milliseconds."""

    key: int
    id: str
    person: int
    bot: int | None
    plugin: str | None
    conversation: int
    conversation_id: str
    message: str | None
    command: str
    said: str
    at: int
    fresh_until: int
    answers_until: int
    replies: int


_INVOCATION = (
    "SELECT i.key, i.id, i.person, i.bot, i.plugin, i.conversation, c.id, m.id, i.command, i.said, i.at, "
    "i.fresh_until, i.answers_until, i.replies FROM bots_invocations i "
    "JOIN conversations c ON c.key = i.conversation LEFT JOIN messages m ON m.key = i.message "
)


def find(reader: Querying, id: str) -> Invocation | None:
    """An invocation by its id, if it is still kept."""
    row = reader.execute(_INVOCATION + "WHERE i.id = ?", (id,)).fetchone()
    return Invocation(*row) if row is not None else None


def _by_key(reader: Querying, key: int) -> Invocation | None:
    row = reader.execute(_INVOCATION + "WHERE i.key = ?", (key,)).fetchone()
    return Invocation(*row) if row is not None else None


def insert(tx: Transaction, id: str, person: Account, settings: BotSettings, **columns: Any) -> int:
    """Store an invocation; returns its key. `columns` are those that differ by what is invoked."""
    values: dict[str, Any] = {
        "id": id, "person": person.key, "bot": None, "plugin": None, "message": None, "said": "", "due_at": None,
        "at": tx.now, "fresh_until": tx.now + settings.fresh_minutes * MINUTE_MS,
        "answers_until": tx.now + settings.reply_minutes * MINUTE_MS, **columns,
    }  # fmt: skip
    (key,) = tx.execute(
        "INSERT INTO bots_invocations (id, person, bot, plugin, conversation, message, command, said, at, fresh_until, "
        "answers_until, due_at) VALUES (:id, :person, :bot, :plugin, :conversation, :message, :command, :said, :at, "
        ":fresh_until, :answers_until, :due_at) RETURNING key",
        values,
    ).fetchone()
    return key


def remove_old(tx: Transaction, before: int, most: int) -> int:
    """Delete up to `most` invocations from before this time; returns how many."""
    return tx.execute(
        "DELETE FROM bots_invocations WHERE key IN (SELECT key FROM bots_invocations WHERE at < ? LIMIT ?)",
        (before, most),
    ).rowcount


# ---- telling the bot


def tell_bot(tx: Transaction, key: int) -> None:
    """Tell the bot of an invocation that was just stored."""
    found = _by_key(tx, key)
    assert found is not None
    assert found.bot is not None
    event = _event(tx, found)
    assert event is not None
    tx.record(
        event, conversation=found.conversation, people=(found.bot,), subject=key, actor=found.person, private=True
    )


def _event(reader: Querying, found: Invocation) -> SlashInvoked | ActionInvoked | None:
    bot, person, at = people.ref(reader, found.bot), people.ref(reader, found.person), rfc3339(found.at)
    if bot is None or person is None:
        return None
    if found.message is not None:
        return ActionInvoked(found.id, bot, found.conversation_id, found.message, found.command, person, at)
    spoken = parse_slash(found.said)
    text = spoken.rest if spoken is not None else ""
    return SlashInvoked(found.id, bot, found.conversation_id, person, found.command, text, at)


def _while_fresh(reader: Reader, row: Row) -> SlashInvoked | ActionInvoked | None:
    """A bot that was away for long is not told of what users have given up on."""
    found = _by_key(reader, row.subject)
    return _event(reader, found) if found is not None and now_ms() <= found.fresh_until else None


# ---- answers


def claim_reply(tx: Transaction, bot: Account, id: str, most: int) -> Invocation:
    """Count an answer of the bot; from now on its user is not told that there is none.

    Raises `Refusal`: `not_found` unless it was the bot that was told, `gone` when it is too late, `too_large` after
    `most` answers.
    """
    found = find(tx, id)
    if found is None or found.bot != bot.key:
        raise Refusal("not_found", "no such invocation, or it is another bot's", path="invocation")
    if tx.now > found.answers_until:
        minutes = (found.answers_until - found.at) // MINUTE_MS
        raise Refusal("gone", f"it can be answered for {counted(minutes, 'minute')}", path="invocation")
    if found.replies >= most:
        raise Refusal("too_large", f"it can be answered up to {counted(most, 'time')}", path="invocation")
    tx.execute("UPDATE bots_invocations SET replies = replies + 1, due_at = NULL WHERE key = ?", (found.key,))
    return found


def give_back_reply(tx: Transaction, key: int) -> None:
    """Undo `claim_reply`, for an answer that could not be posted. If there was no other, the user is told so in the
    end."""
    tx.execute(
        "UPDATE bots_invocations SET replies = replies - 1, due_at = CASE WHEN replies = 1 AND message IS NULL "
        "THEN answers_until END WHERE key = ? AND replies > 0",
        (key,),
    )


# ---- no answer


def next_due(reader: Querying) -> int | None:
    """When the next user is to be told that there is no answer, in milliseconds."""
    (found,) = reader.execute("SELECT min(due_at) FROM bots_invocations WHERE due_at IS NOT NULL").fetchone()
    return found


def tell_overdue(tx: Transaction, now: int, most: int) -> int:
    """Tell up to `most` users that the bot they asked has not answered yet, or did not in time; returns how many."""
    keys = tx.execute(
        "SELECT key FROM bots_invocations WHERE due_at <= ? ORDER BY due_at LIMIT ?", (now, most)
    ).fetchall()
    for (key,) in keys:
        found = _by_key(tx, key)
        assert found is not None
        status: NoticeStatus = "unanswered" if now >= found.answers_until else "working"
        again_at = found.answers_until if status == "working" else None
        tx.execute("UPDATE bots_invocations SET due_at = ? WHERE key = ?", (again_at, key))
        if now - found.answers_until > DAY_MS:
            continue  # the node was down for long, or this was restored: nobody waits for it
        notice = _notice_of_waiting(tx, found, status)
        tx.attempt(lambda notice=notice: notices.send(tx, notice))  # the user may have left
    return len(keys)


def _notice_of_waiting(reader: Querying, found: Invocation, status: NoticeStatus) -> NewNotice:
    assert found.bot is not None
    bot = people.by_key(reader, found.bot)
    what = "is still working on" if status == "working" else "did not answer"
    text = f"{bot.handle} {what} /{found.command}"
    return NewNotice(new_id(), found.person, found.conversation, text, bot, None, found.id, status)


# ---- what it adds to the node

EVENTS = (EventKind(SlashInvoked, _while_fresh), EventKind(ActionInvoked, _while_fresh))
TABLES = (
    CoreTable(
        "bots_invocations",
        people=("person", "bot"),
        message="message",
        left_out="what users asked of bots, kept for a day",
        entry="invocation",
        export="SELECT i.key, i.id AS invocation, c.id AS conversation, b.id AS bot, i.plugin, m.id AS message, "
        "i.command, i.said, i.at FROM bots_invocations i JOIN conversations c ON c.key = i.conversation "
        "LEFT JOIN people b ON b.key = i.bot LEFT JOIN messages m ON m.key = i.message "
        "WHERE i.person = :person AND i.key > :after ORDER BY i.key LIMIT :limit",
    ),
)
