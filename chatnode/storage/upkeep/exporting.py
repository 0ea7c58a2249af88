"""Everything in words and numbers of the protocol: a line of JSON each, with public ids, without secrets.

The first line says what this is; each other has a `type` that `EXPORTED` names. Rows come in the order of their making,
and what others refer to comes before them. Password hashes, token hashes and invite codes are not in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from chatnode import __version__
from chatnode.model.times import now_ms, rfc3339
from chatnode.storage.engine.connection import Reader
from chatnode.storage.log import log
from chatnode.storage.node import plugins
from chatnode.storage.upkeep.snapshots import Progress, no_progress

VERSION = 1
_BATCH = 500
_TIMES = ("at", "until", "muted_until")

EXPORTED: dict[str, tuple[str, str]] = {
    "role": ("role_permissions", "SELECT role, permission FROM role_permissions ORDER BY role, permission"),
    "person": (
        "people",
        "SELECT id, handle, name, avatar, role, bot, created_at, deactivated_at, erased_at, source "
        "FROM people ORDER BY key",
    ),
    "author": (
        "import_authors",
        "SELECT a.source, a.name, p.id AS person FROM import_authors a JOIN people p ON p.key = a.person "
        "ORDER BY a.source, a.name",
    ),
    "session": (
        "sessions",
        "SELECT p.id AS person, s.kind, s.label, s.scopes AS scopes_json, s.created_at, s.expires_at, s.last_used_at "
        "FROM sessions s JOIN people p ON p.key = s.person ORDER BY s.key",
    ),
    "conversation": (
        "conversations",
        "SELECT c.id, c.kind, c.title, c.description, c.visibility, c.history, c.purpose, c.context_type, "
        "c.context_id, c.created_at, b.id AS created_by, c.closed_at, c.closed_reason, x.id AS closed_by, c.idle_days, "
        "c.retention_days, c.head, c.floor, c.messages, c.last_at, c.inactive_at, c.opened_at, c.auto_join, c.source, "
        "c.source_key "
        "FROM conversations c LEFT JOIN people b ON b.key = c.created_by LEFT JOIN people x ON x.key = c.closed_by "
        "ORDER BY c.key",
    ),
    "member": (
        "members",
        "SELECT c.id AS conversation, p.id AS person, m.role, m.joined_at, m.left_gid IS NOT NULL AS left, m.first, "
        "m.read_seq, m.delivered_seq, m.shown_seq, m.hides_receipts "
        "FROM members m JOIN conversations c ON c.key = m.conversation JOIN people p ON p.key = m.person "
        "ORDER BY m.conversation, m.person",
    ),
    "setting": (
        "conversation_settings",
        "SELECT p.id AS person, c.id AS conversation, s.muted_until, s.notify, s.desktop, s.mobile, s.sounds, "
        "s.starred, s.archived, s.colour, s.label FROM conversation_settings s JOIN people p ON p.key = s.person "
        "JOIN conversations c ON c.key = s.conversation ORDER BY s.person, s.conversation",
    ),
    "message": (
        "messages",
        "SELECT m.id, c.id AS conversation, m.seq, m.gid, p.id AS sender, m.cid, m.kind, m.text, "
        "m.content AS content_json, m.at, m.reply_to, m.thread, m.replies, m.mentions AS mentions_json, "
        "m.metadata AS metadata_json, m.edits, m.edited_at, m.deleted_at, d.id AS deleted_by, m.deleted_reason, "
        "m.pinned_at, i.id AS pinned_by FROM messages m JOIN conversations c ON c.key = m.conversation "
        "JOIN people p ON p.key = m.sender LEFT JOIN people d ON d.key = m.deleted_by "
        "LEFT JOIN people i ON i.key = m.pinned_by ORDER BY m.key",
    ),
    "edit": (
        "message_edits",
        "SELECT m.id AS message, e.version, e.text, e.at FROM message_edits e JOIN messages m "
        "ON m.conversation = e.conversation AND m.seq = e.seq ORDER BY m.key, e.version",
    ),
    "receipt": (
        "receipts",
        "SELECT c.id AS conversation, p.id AS person, r.kind, r.seq, r.at FROM receipts r "
        "JOIN conversations c ON c.key = r.conversation JOIN people p ON p.key = r.person "
        "ORDER BY r.conversation, r.person, r.kind, r.seq",
    ),
    "block": (
        "blocks",
        "SELECT p.id AS person, o.id AS blocked, b.at FROM blocks b JOIN people p ON p.key = b.person "
        "JOIN people o ON o.key = b.blocked ORDER BY b.person, b.blocked",
    ),
    "report": (
        "reports",
        "SELECT m.id AS message, p.id AS reporter, r.reason, r.note, r.at, r.resolved_at, o.id AS resolved_by, "
        "r.resolution FROM reports r JOIN messages m ON m.key = r.message JOIN people p ON p.key = r.reporter "
        "LEFT JOIN people o ON o.key = r.resolved_by ORDER BY r.key",
    ),
    "invite": (
        "invites",
        "SELECT i.kind, p.id AS created_by, i.created_at, i.expires_at, i.uses_left FROM invites i "
        "LEFT JOIN people p ON p.key = i.created_by ORDER BY i.key",
    ),
    "presence": (
        "presence",
        "SELECT p.id AS person, s.active_at, s.text, s.emoji, s.until, s.hidden FROM presence s "
        "JOIN people p ON p.key = s.person ORDER BY s.person",
    ),
    "presence_change": (
        "presence_history",
        "SELECT p.id AS person, h.at, h.change, h.text, h.emoji FROM presence_history h "
        "JOIN people p ON p.key = h.person ORDER BY h.key",
    ),
    "removal": (
        "removals",
        "SELECT at, rule, conversation, days, upto, counts AS counts_json, probes, traces, proved_at FROM removals "
        "ORDER BY key",
    ),
    "audit": (
        "audit",
        "SELECT a.at, p.id AS actor, a.action, a.target, a.details AS details_json FROM audit a "
        "LEFT JOIN people p ON p.key = a.actor ORDER BY a.key",
    ),
}
"""Type → the table it comes from, and what is asked of it. `…_json` holds JSON; `…_at` and `_TIMES` are times."""

LEFT_OUT = {
    "node": "the epoch is in the first line",
    "migrations": "how the tables came to be",
    "jobs": "how the node's own jobs went",
    "log": "the order of changes; means nothing elsewhere",
    "log_audience": "part of the log",
    "block_marks": "what a blocked user is shown; means nothing elsewhere",
    "mentions": "each message has its own",
    "invite_conversations": "invites cannot be used elsewhere",
    "password_resets": "links that cannot be used elsewhere",
    "imported": "hashes, by which this node knows what it imported once",
    "import_erased_authors": "hashes of names of people who were erased",
    "adoptions": "handing authors over goes on here",
    "adoption_conversations": "part of adoptions",
    "erasures": "erasing under way goes on here",
    "erasure_conversations": "part of erasures",
    "traces": "what this node's files still have to forget",
    "bots": "which accounts plugins made is the installation's",
    "plugins": "which plugins there are is the installation's",
    "consumers": "places in the log",
    "set_aside": "rows of the log",
    "search_state": "made anew from the messages",
    "search_shards": "part of the index of words",
    "search_changed": "part of the index of words",
}
"""Tables that are not exported, and why; so are the full-text tables of the index, `search_words_…`. Tables of
plugins are exported as they are: `{"type": "plugin", "table": …, "row": {…}}`."""


def lines(reader: Reader, progress: Progress = no_progress) -> Iterator[bytes]:
    """The lines of an export, each with its line break, from one snapshot."""
    counts = {
        kind: reader.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
        for kind, (table, _) in EXPORTED.items()
    }
    yield _line(
        {
            "type": "export", "version": VERSION, "chatnode": __version__, "made_at": rfc3339(now_ms()),
            "epoch": log.epoch(reader), "head": log.head(reader), "counts": counts,
        }
    )  # fmt: skip
    done, total = 0, sum(counts.values())
    for kind, (_, sql) in EXPORTED.items():
        rows = reader.execute(sql)
        names = [column[0] for column in rows.description]
        while batch := rows.fetchmany(_BATCH):
            for row in batch:
                yield _line({"type": kind} | dict(_field(*each) for each in zip(names, row, strict=True)))
            done += len(batch)
            progress("exporting", done, total)
    for table in (table for plugin in plugins.known(reader) for table in plugins.own_tables(reader, plugin)):
        for row in plugins.rows(reader, table):
            yield _line(
                {"type": "plugin", "table": table, "row": dict(_field_of_plugin(*each) for each in row.items())}
            )


def _line(fields: dict[str, Any]) -> bytes:
    return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)


def _field(name: str, value: Any) -> tuple[str, Any]:
    if name.endswith("_json"):
        return name.removesuffix("_json"), orjson.loads(value) if value is not None else None
    if (name in _TIMES or name.endswith("_at")) and value is not None:
        return name, rfc3339(value)
    return name, value


def _field_of_plugin(name: str, value: Any) -> tuple[str, Any]:
    """The same where it fits, else as it is stored: what a plugin's column holds need not be what its name says."""
    try:
        return _field(name, value)
    except (TypeError, ValueError, OverflowError):
        return name, value
