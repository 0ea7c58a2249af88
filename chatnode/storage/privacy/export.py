"""Everything that is held about a person, section by section, in pages that never need much memory."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import attrs
import orjson

from chatnode.errors import Refusal
from chatnode.model.commands.privacy import ExportEntry, ExportGiven
from chatnode.model.people import Account
from chatnode.model.times import rfc3339
from chatnode.storage.engine.additions import additions
from chatnode.storage.engine.connection import Reader

Row = dict[str, Any]

SPAN = 20_000
"""Rows of a table without an index by person that one page looks through."""


@attrs.frozen
class Section:
    """Rows of one kind. `sql` takes `:person` and `:id` and gives the row's key first; keys above `:after` are read in
    order, at most `:limit`. `table`: it has no index by person, and is looked through in spans of its keys.
    `of_plugin`: what its columns hold need not be what their names say."""

    kind: str
    sql: str
    table: str | None = None
    of_plugin: bool = False
    finish: Callable[[Reader, Row], Row] = lambda reader, row: row


def _with_history(reader: Reader, row: Row) -> Row:
    """A message with what it said before."""
    place = (row.pop("conversation_key"), row["seq"])
    versions = reader.execute(
        "SELECT version, text, at FROM message_edits WHERE conversation = ? AND seq = ? ORDER BY version", place
    )
    history = [{"version": version, "text": text, "at": rfc3339(at)} for version, text, at in versions]
    return row | ({"history": history} if history else {})


# What became of a conversation after a user left it, its title or why a moderator deleted a message, is not theirs.
# Keyed by rowid where the table has one; else by the conversation's key, of which a person has a row each.
SECTIONS = (
    Section(
        "profile",
        "SELECT key, id, handle, name, avatar, role, bot, created_at, deactivated_at, erased_at, source, "
        "password IS NOT NULL AS has_password FROM people WHERE key = :person AND key > :after LIMIT :limit",
    ),
    Section(
        "author",  # by which names they are known elsewhere
        "SELECT person, json_group_array(json_object('source', source, 'name', name)) AS names FROM import_authors "
        "WHERE person = :person AND person > :after GROUP BY person LIMIT :limit",
    ),
    Section(
        "session",
        "SELECT key, key AS session, kind, label, created_at, expires_at, last_used_at, scopes FROM sessions "
        "WHERE person = :person AND key > :after ORDER BY key LIMIT :limit",
    ),
    Section(
        "membership",
        "SELECT c.key, c.id AS conversation, c.kind, iif(m.left_gid IS NULL, c.title, NULL) AS title, m.role, "
        "m.joined_at, m.left_gid IS NOT NULL AS has_left, "
        "m.read_seq, m.delivered_seq FROM members m JOIN conversations c ON c.key = m.conversation "
        "WHERE m.person = :person AND c.key > :after ORDER BY c.key LIMIT :limit",
    ),
    Section(
        "settings",
        "SELECT c.key, c.id AS conversation, s.muted_until, s.notify, s.desktop, s.mobile, s.sounds, s.starred, "
        "s.archived, s.colour, s.label FROM conversation_settings s JOIN conversations c ON c.key = s.conversation "
        "WHERE s.person = :person AND c.key > :after ORDER BY c.key LIMIT :limit",
    ),
    Section(
        "block",
        "SELECT p.key, p.id AS person, p.handle, b.at FROM blocks b JOIN people p ON p.key = b.blocked "
        "WHERE b.person = :person AND p.key > :after ORDER BY p.key LIMIT :limit",
    ),
    Section(
        "presence",
        "SELECT person, active_at, text, emoji, until, hidden FROM presence "
        "WHERE person = :person AND person > :after LIMIT :limit",
    ),
    Section(
        "presence_history",
        "SELECT key, at, change, text, emoji FROM presence_history "
        "WHERE person = :person AND key > :after ORDER BY key LIMIT :limit",
    ),
    Section(
        "invite",
        "SELECT key, key AS invite, kind, created_at, expires_at, uses_left FROM invites "
        "WHERE created_by = :person AND key > :after ORDER BY key LIMIT :limit",
    ),
    Section(
        "report",
        "SELECT r.key, m.id AS message, r.reason, r.note, r.at, r.resolved_at, r.resolution FROM reports r "
        "JOIN messages m ON m.key = r.message WHERE r.reporter = :person AND r.key > :after "
        "ORDER BY r.key LIMIT :limit",
    ),
    Section(
        "audit",
        "SELECT key, key AS entry, at, action, target, details, actor IS :person AS by_them FROM audit "
        "WHERE (actor = :person OR target = :id) AND key > :after ORDER BY key LIMIT :limit",
    ),
    Section(
        "receipt",
        "SELECT c.key, c.id AS conversation, json_group_array(json_array(r.kind, r.seq, r.at)) AS marks FROM members m "
        "JOIN conversations c ON c.key = m.conversation JOIN receipts r ON r.conversation = c.key "
        "AND r.person = m.person WHERE m.person = :person AND c.key > :after "
        "GROUP BY c.key ORDER BY c.key LIMIT :limit",
    ),
    Section(
        "mention",
        "SELECT c.key, c.id AS conversation, json_group_array(n.seq) AS seqs FROM mentions n "
        "JOIN conversations c ON c.key = n.conversation "
        "WHERE n.person = :person AND c.key > :after GROUP BY c.key ORDER BY c.key LIMIT :limit",
    ),
    Section(
        "message",
        "SELECT m.key, m.id AS message, c.id AS conversation, m.conversation AS conversation_key, m.seq, m.cid, "
        "m.kind, m.text, m.content, m.metadata, m.mentions, m.reply_to, m.at, m.edited_at, "
        "m.deleted_at, iif(m.deleted_at > l.at, NULL, m.deleted_reason) AS deleted_reason "
        "FROM messages m JOIN conversations c ON c.key = m.conversation "
        "LEFT JOIN members o ON o.conversation = m.conversation AND o.person = m.sender "
        "LEFT JOIN log l ON l.gid = o.left_gid "
        "WHERE m.key > :after AND m.key <= :until AND m.sender = :person ORDER BY m.key LIMIT :limit",
        table="messages",
        finish=_with_history,
    ),
)

_JSON = frozenset({"names", "scopes", "details", "marks", "seqs", "content", "metadata", "mentions"})
_FLAGS = frozenset({
    "bot", "has_password", "has_left", "by_them", "desktop", "mobile", "sounds", "starred", "archived", "hidden",
})  # fmt: skip


def page(reader: Reader, account: Account, after: str | None, limit: int) -> ExportGiven:
    """Up to `limit` things; `next` is absent after the last."""
    sections = (*SECTIONS, *_of_plugins(reader))
    number, key = _place(after, [each.kind for each in sections])
    section = sections[number]
    until = key + SPAN
    cursor = reader.execute(
        section.sql, {"person": account.key, "id": account.id, "after": key, "until": until, "limit": limit}
    )
    names = [column[0] for column in cursor.description]
    rows = cursor.fetchall()
    entries = [
        ExportEntry(
            section.kind, section.finish(reader, _row(names, row, _shown_of_plugin if section.of_plugin else _shown))
        )
        for row in rows
    ]
    if len(rows) == limit:
        return ExportGiven(entries, f"{section.kind}:{rows[-1][0]}")
    if section.table is not None:
        (newest,) = reader.execute(f"SELECT coalesce(max(key), 0) FROM {section.table}").fetchone()  # noqa: S608
        if until < newest:
            return ExportGiven(entries, f"{section.kind}:{until}")
    return ExportGiven(entries, f"{sections[number + 1].kind}:0" if number + 1 < len(sections) else None)


def _of_plugins(reader: Reader) -> list[Section]:
    """Tables of plugins, also of those that do not run: what is held is held."""
    return [
        Section(table.name, table.export, of_plugin=True)
        for table in additions(reader).tables
        if table.export is not None
    ]


def _place(after: str | None, kinds: list[str]) -> tuple[int, int]:
    if after is None:
        return 0, 0
    kind, _, key = after.partition(":")
    if kind not in kinds or not (key.isascii() and key.isdecimal() and len(key) < 19):
        raise Refusal("invalid", "give the `next` of the page before", path="after")
    return kinds.index(kind), int(key)


def _row(names: list[str], values: tuple[Any, ...], shown: Callable[[str, Any], Any]) -> Row:
    """A row as it is shown: no keys, times as everywhere, nothing that is not set."""
    return {name: shown(name, value) for name, value in zip(names[1:], values[1:], strict=True) if value is not None}


def _shown(name: str, value: Any) -> Any:
    if name in _JSON:
        return orjson.loads(value)
    if name in _FLAGS:
        return bool(value)
    if name == "at" or name.endswith("_at") or name in ("muted_until", "until"):
        return rfc3339(value)
    return value


def _shown_of_plugin(name: str, value: Any) -> Any:
    """The same where it fits, else as it is stored: nobody is refused their data for a word in another sense."""
    if isinstance(value, bytes):
        return {"base64": b64encode(value).decode()}
    try:
        return _shown(name, value)
    except (TypeError, ValueError, OverflowError):
        return value
