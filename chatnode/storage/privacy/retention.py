"""What is removed by itself: old messages, and conversations that were closed long ago."""

from __future__ import annotations

import orjson

from chatnode.model.commands.retention import Removal
from chatnode.model.events import ConversationTrimmed
from chatnode.model.records import record
from chatnode.model.times import DAY_MS, rfc3339, rfc3339_or_none
from chatnode.storage.conversations import conversations
from chatnode.storage.engine.additions import CoreTable, EventKind, additions
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.dialect import greatest, least
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.privacy import traces


@record(frozen=True)
class Due:
    """A conversation with messages older than a rule allows: those posted before `before`."""

    key: int
    id: str
    rule: str
    days: int
    before: int


@record
class Removed:
    """What went in one step: rows by table, and the texts, to look for their traces. `more`: another step is due."""

    upto: int
    counts: dict[str, int]
    texts: list[str]
    more: bool

    @property
    def messages(self) -> int:
        return self.counts["messages"]


_SHORTER = least("coalesce(c.retention_days, :most)", "coalesce(nullif(:days, 0), :most)")


def due(reader: Reader, now: int, message_days: int, purge_days: int) -> list[Due]:
    """Where something is to be removed.

    A conversation's own rule and `message_days` both hold, so the shorter counts. `purge_days` after a
    conversation was closed all of its messages go. 0 is never.
    """
    found = [
        Due(key, id, "messages", days, now - days * DAY_MS)
        for key, id, days in reader.execute(
            f"SELECT key, id, keep FROM (SELECT c.key, c.id, m.at, {_SHORTER} AS keep FROM conversations c "  # noqa: S608
            "JOIN messages m ON m.conversation = c.key AND m.seq = c.floor + 1) d "
            "WHERE keep < :most AND at < :now - keep * :day",
            {"most": _NEVER, "days": message_days, "now": now, "day": DAY_MS},
        )
    ]
    if purge_days:
        found += [
            Due(key, id, "closed", purge_days, now + 1)
            for key, id in reader.execute(
                "SELECT key, id FROM conversations WHERE closed_at < ? AND head > floor", (now - purge_days * DAY_MS,)
            )
        ]
    return found


_NEVER = 1_000_000


def trim(tx: Transaction, due: Due, most: int) -> Removed | None:
    """Remove up to `most` of a conversation's oldest messages; None when none is old enough.

    Only from the beginning on: the messages that stay are dense. An older one behind a newer one, as an import
    may bring it, waits for that.
    """
    floor, head = tx.execute("SELECT floor, head FROM conversations WHERE key = ?", (due.key,)).fetchone()
    upto, texts = floor, list[str]()
    for seq, at, text in tx.execute(
        "SELECT seq, at, text FROM messages WHERE conversation = ? AND seq > ? ORDER BY seq LIMIT ?",
        (due.key, floor, most),
    ):
        if at >= due.before:
            break
        upto = seq
        texts.append(text)
    if upto == floor:
        return None
    texts += [
        text
        for (text,) in tx.execute("SELECT text FROM message_edits WHERE conversation = ? AND seq <= ?", (due.key, upto))
    ]
    (living,) = tx.execute(
        "SELECT count(*) FROM messages WHERE conversation = ? AND seq <= ? AND deleted_at IS NULL", (due.key, upto)
    ).fetchone()
    counts = _remove(tx, due.key, upto)
    tx.execute("UPDATE conversations SET floor = ?, messages = messages - ? WHERE key = ?", (upto, living, due.key))
    tx.execute(
        f"UPDATE members SET read_seq = {greatest('read_seq', ':upto')}, "  # noqa: S608
        f"delivered_seq = {greatest('delivered_seq', ':upto')}, shown_seq = {greatest('shown_seq', ':upto')} "
        "WHERE conversation = :key AND left_gid IS NULL",
        {"upto": upto, "key": due.key},
    )
    tx.record(ConversationTrimmed(due.id, upto), conversation=due.key, subject=upto)
    traces.mark_pending_traces(tx)
    return Removed(upto, counts, texts, more=upto - floor == most and upto < head)


def _remove(tx: Transaction, conversation: int, upto: int) -> dict[str, int]:
    """Remove messages, and before them what each table keeps about them. Gives how many rows of which table went; of
    a table of a plugin only if there were some."""
    about = {"conversation": conversation, "upto": upto}
    counts: dict[str, int] = {}
    for table in additions(tx).tables:
        sql = table.removed if isinstance(table, CoreTable) else None
        if sql is None and table.message is not None:
            sql = (
                f"DELETE FROM {table.name} WHERE {table.message} IN "  # noqa: S608
                "(SELECT key FROM messages WHERE conversation = :conversation AND seq <= :upto)"
            )
        if sql is not None:
            rows = tx.execute(sql, about).rowcount
            if rows or (isinstance(table, CoreTable) and table.removed is not None):
                counts[table.name] = rows
    sql = "DELETE FROM messages WHERE conversation = :conversation AND seq <= :upto"
    return counts | {"messages": tx.execute(sql, about).rowcount}


def retire(tx: Transaction, days: int, most: int) -> int:
    """Take up to `most` conversations that were closed for `days` out of the inboxes; returns how many."""
    keys = tx.execute(
        "SELECT key FROM conversations WHERE closed_at < ? AND inactive_at IS NULL LIMIT ?",
        (tx.now - days * DAY_MS, most),
    ).fetchall()
    for (key,) in keys:
        tx.execute("UPDATE conversations SET inactive_at = ? WHERE key = ?", (tx.now, key))
        conversations.updated(tx, key, None)
    return len(keys)


# ---- receipts of what was removed


def record_removal(tx: Transaction, due: Due, upto: int, counts: dict[str, int]) -> int:
    """Write the receipt, still without its proof; returns its number."""
    key = tx.execute(
        "INSERT INTO removals (at, rule, conversation, days, upto, counts) VALUES (?, ?, ?, ?, ?, ?) RETURNING key",
        (tx.now, due.rule, due.id, due.days, upto, orjson.dumps(counts).decode()),
    ).fetchone()[0]
    return key


def prove(tx: Transaction, removal: int, probes: int, traces: int) -> None:
    """Add to a receipt how many of the removed texts were looked for in the files, and found."""
    tx.execute(
        "UPDATE removals SET probes = ?, traces = ?, proved_at = ? WHERE key = ?", (probes, traces, tx.now, removal)
    )


def texts_of_others(reader: Reader, texts: list[str]) -> list[str]:
    """Those of `texts` that remaining messages contain too, so their bytes prove nothing. Scans all messages."""
    return [text for text in texts if reader.execute(_STANDS, {"text": text}).fetchone() is not None]


_STANDS = (
    "SELECT 1 FROM messages WHERE instr(text, :text) > 0 "
    "UNION ALL SELECT 1 FROM message_edits WHERE instr(text, :text) > 0 LIMIT 1"
)


def page(reader: Reader, after: int | None, limit: int) -> list[Removal]:
    """Newest first; `after` is the number of the last one of the page before."""
    rows = reader.execute(
        "SELECT key, at, rule, conversation, days, upto, counts, probes, traces, proved_at FROM removals "
        "WHERE key < ? ORDER BY key DESC LIMIT ?",
        (2**62 if after is None else after, limit),
    )
    return [
        Removal(
            key, rfc3339(at), rule, conversation, days, upto, orjson.loads(counts), probes, traces,
            rfc3339_or_none(proved_at),
        )
        for key, at, rule, conversation, days, upto, counts, probes, traces, proved_at in rows
    ]  # fmt: skip


EVENTS = (
    EventKind(
        ConversationTrimmed, lambda reader, row: ConversationTrimmed(row.conversation, row.subject), after_leaving=True
    ),
)
TABLES = (
    CoreTable(
        "removals",
        lines=(
            "removal",
            "SELECT at, rule, conversation, days, upto, counts AS counts_json, probes, traces, proved_at FROM "
            "removals ORDER BY key",
        ),
    ),
)
