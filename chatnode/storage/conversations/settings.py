"""A person's own settings of a conversation."""

from __future__ import annotations

from typing import Any

import attrs

from chatnode.model.conversations import ConversationSettings
from chatnode.model.events import Event, SettingsChanged
from chatnode.model.people import Account
from chatnode.model.times import milliseconds, rfc3339_or_none
from chatnode.storage.conversations import conversations
from chatnode.storage.engine.additions import CoreTable, EventKind, rows_of
from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.engine.row import Row
from chatnode.storage.engine.transaction import Transaction

COLUMNS = (
    "s.muted_until, s.notify, s.desktop, s.mobile, s.sounds, m.hides_receipts = 0, s.starred, s.archived, s.colour, "
    "s.label"
)
"""Of `conversation_settings` s and `members` m, in the order of the fields of `ConversationSettings`."""


def from_row(row: tuple[Any, ...]) -> ConversationSettings | None:
    """The settings; None while all are as by default."""
    muted_until, notify, desktop, mobile, sounds, receipts, starred, archived, colour, label = row
    if notify is None:
        return None
    return ConversationSettings(
        rfc3339_or_none(muted_until), notify, bool(desktop), bool(mobile), bool(sounds),
        bool(receipts), bool(starred), bool(archived), colour, label,
    )  # fmt: skip


def of_member(reader: Querying, person: int, conversation: int) -> ConversationSettings:
    row = reader.execute(
        f"SELECT {COLUMNS} FROM members m LEFT JOIN conversation_settings s "  # noqa: S608
        "ON s.person = m.person AND s.conversation = m.conversation WHERE m.person = ? AND m.conversation = ?",
        (person, conversation),
    ).fetchone()
    return (from_row(row) if row is not None else None) or ConversationSettings()


def change(tx: Transaction, account: Account, id: str, changes: dict[str, Any]) -> ConversationSettings:
    """Change what `changes` names, by the fields of `ConversationSettings`; an empty text takes a value away."""
    place = conversations.access(tx, account, id)
    before = of_member(tx, account.key, place.key)
    after = attrs.evolve(before, **{name: value if value != "" else None for name, value in changes.items()})
    if after == before:
        return before
    tx.execute(
        "INSERT INTO conversation_settings (person, conversation, muted_until, notify, desktop, mobile, "
        "sounds, starred, archived, colour, label) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (person, conversation) DO UPDATE SET "
        "muted_until = excluded.muted_until, notify = excluded.notify, "
        "desktop = excluded.desktop, mobile = excluded.mobile, sounds = excluded.sounds, starred = excluded.starred, "
        "archived = excluded.archived, colour = excluded.colour, label = excluded.label",
        (
            account.key, place.key, milliseconds(after.muted_until) if after.muted_until else None, after.notify,
            after.desktop, after.mobile, after.sounds, after.starred, after.archived, after.colour, after.label,
        ),
    )  # fmt: skip
    tx.execute(
        "UPDATE members SET hides_receipts = ? WHERE conversation = ? AND person = ?",
        (not after.receipts, place.key, account.key),
    )
    tx.record(
        SettingsChanged(id, after), conversation=place.key, people=(account.key,), actor=account.key, private=True
    )
    return after


def _as_they_are(reader: Reader, row: Row) -> Event:
    assert row.actor is not None
    assert row.conversation_key is not None
    return SettingsChanged(row.conversation, of_member(reader, row.actor, row.conversation_key))


EVENTS = (EventKind(SettingsChanged, _as_they_are, after_leaving=True),)


TABLES = (
    CoreTable(
        "conversation_settings",
        lines=(
            "setting",
            "SELECT p.id AS person, c.id AS conversation, s.muted_until, s.notify, s.desktop, s.mobile, "
            "s.sounds, s.starred, s.archived, s.colour, s.label FROM conversation_settings s JOIN people p ON "
            "p.key = s.person JOIN conversations c ON c.key = s.conversation ORDER BY s.person, s.conversation",
        ),
        entry="settings",
        export="SELECT c.key, c.id AS conversation, s.muted_until, s.notify, s.desktop AS desktop_flag, s.mobile AS "
        "mobile_flag, s.sounds AS sounds_flag, s.starred AS starred_flag, s.archived AS archived_flag, "
        "s.colour, s.label FROM conversation_settings s JOIN conversations c ON c.key = s.conversation WHERE "
        "s.person = :person AND c.key > :after ORDER BY c.key LIMIT :limit",
        at_once=rows_of("conversation_settings", "person"),
    ),
)
