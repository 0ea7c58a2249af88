"""Texts in a conversation that only one user sees, and can see for a day."""

from __future__ import annotations

from typing import Any

from chatnode.errors import Refusal
from chatnode.model.bots import NoticeStatus, PrivateNotice
from chatnode.model.events import NoticeSent
from chatnode.model.people import Account, PersonRef
from chatnode.model.records import record
from chatnode.model.times import rfc3339
from chatnode.storage.conversations import conversations
from chatnode.storage.conversations.blocks import has_blocked
from chatnode.storage.engine.additions import CoreTable, EventKind
from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.engine.row import Row
from chatnode.storage.engine.transaction import Transaction

_NOTICE = (
    "SELECT n.id, c.id, n.text, n.at, b.id, b.handle, n.plugin, n.invocation, n.status FROM bots_notices n "
    "JOIN conversations c ON c.key = n.conversation LEFT JOIN people b ON b.key = n.bot "
)


@record(frozen=True)
class NewNotice:
    """A notice for the user with the key `person`, in the conversation with the key `conversation`, from a bot or a
    plugin."""

    id: str
    person: int
    conversation: int
    text: str
    bot: Account | None = None
    plugin: str | None = None
    invocation: str | None = None
    status: NoticeStatus | None = None


def send(tx: Transaction, new: NewNotice) -> PrivateNotice:
    """Store a notice and tell its user. Raises `Refusal("gone")` if they take no part in the conversation any more."""
    if conversations.member_role(tx, new.conversation, new.person) is None:
        raise Refusal("gone", "the user has left the conversation", path="invocation")
    bot = new.bot.key if new.bot is not None else None
    (key,) = tx.execute(
        "INSERT INTO bots_notices (id, person, conversation, bot, plugin, invocation, status, text, at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING key",
        (new.id, new.person, new.conversation, bot, new.plugin, new.invocation, new.status, new.text, tx.now),
    ).fetchone()
    notice = _by_key(tx, key)
    assert notice is not None
    tx.record(
        NoticeSent(notice), conversation=new.conversation, people=(new.person,), subject=key, actor=bot, private=True
    )
    return notice


def check_may_tell(reader: Querying, bot: Account, person: int, conversation: int) -> None:
    """Whether a bot may tell a user something in private, both in the conversation; users and conversation by key.

    Raises `Refusal`: `gone` if the bot is no member any more, `forbidden` if the user has blocked it.
    """
    if conversations.member_role(reader, conversation, bot.key) is None:
        raise Refusal("gone", "you are no longer a member of the conversation", path="invocation")
    if has_blocked(reader, person, bot.key):
        raise Refusal("forbidden", "the user does not accept messages from you", path="invocation")


def by_id(reader: Querying, id: str) -> PrivateNotice | None:
    """A notice by its id, if it is still kept."""
    row = reader.execute(_NOTICE + "WHERE n.id = ?", (id,)).fetchone()
    return _notice(row) if row is not None else None


def _by_key(reader: Querying, key: int) -> PrivateNotice | None:
    row = reader.execute(_NOTICE + "WHERE n.key = ?", (key,)).fetchone()
    return _notice(row) if row is not None else None


def _notice(row: tuple[Any, ...]) -> PrivateNotice:
    id, conversation, text, at, bot, handle, plugin, invocation, status = row
    by = PersonRef(bot, handle) if bot is not None else None
    return PrivateNotice(id, conversation, text, rfc3339(at), by, plugin, invocation, status)


def remove_old(tx: Transaction, before: int, most: int) -> int:
    """Delete up to `most` notices from before this time; returns how many."""
    return tx.execute(
        "DELETE FROM bots_notices WHERE key IN (SELECT key FROM bots_notices WHERE at < ? LIMIT ?)", (before, most)
    ).rowcount


def _made_again(reader: Reader, row: Row) -> NoticeSent | None:
    notice = _by_key(reader, row.subject)
    return NoticeSent(notice) if notice is not None else None


EVENTS = (EventKind(NoticeSent, _made_again),)
TABLES = (
    CoreTable(
        "bots_notices",
        people=("person", "bot"),
        left_out="answers that one user saw, kept for a day",
        entry="notice",
        export="SELECT n.key, n.id AS notice, c.id AS conversation, b.id AS bot, n.plugin, n.invocation, n.status, "
        "n.text, n.at FROM bots_notices n JOIN conversations c ON c.key = n.conversation "
        "LEFT JOIN people b ON b.key = n.bot WHERE n.person = :person AND n.key > :after ORDER BY n.key LIMIT :limit",
    ),
)
