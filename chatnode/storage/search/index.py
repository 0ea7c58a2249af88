"""The index of messages' words: FTS5 tables that are filled in batches after the messages were posted.

What is in the index is found by its shards, what was posted since (`tail`) and what was changed since (`changed`) by
looking at the messages themselves; `storage/search/find.py` does all three, so that nothing is ever missing.
Triggers of `schema/0005_search.sql` write down what changed: code that edits, deletes or removes messages need not
call anything.

A shard is a stretch of the log. Text leaves it when it is rebuilt from the messages: FTS5 itself only marks
what is deleted. See docs/adr/0010-search.md.
"""

from __future__ import annotations

import sqlite3

from chatnode.config import Search as SearchSettings
from chatnode.logs import get_logger
from chatnode.model import search_months, words
from chatnode.model.records import record
from chatnode.storage.engine.additions import CoreTable
from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.engine.dialect import member_of, members_of

logger = get_logger("search")

MARK = "\ue000"
"""Begins what the index holds beside words. It is of the private use area, so that no word has it."""

CONVERSATION_BITS = 28
CONVERSATION_MASK = (1 << CONVERSATION_BITS) - 1
"""A row of the index is numbered by its message's key and, in the lower bits, its conversation's."""

TEXT = (
    "(CASE WHEN m.content IS NULL THEN m.text "
    f"ELSE m.text || '\n' || coalesce({member_of('m.content', 'name')}, "
    f"{members_of('m.content', 'files', 'name')}, '') END)"
)
"""What of a message is searched: its text, and the names of its files or place."""

HAS = {
    "link": "(instr(lower(m.text), 'http://') OR instr(lower(m.text), 'https://'))",
    "image": "m.kind = 'image'",
    "file": "m.kind = 'file'",
    "location": "m.kind = 'location'",
    "mention": "m.mentions IS NOT NULL",
    "reply": "m.reply_to IS NOT NULL",
    "edit": "m.edited_at IS NOT NULL",
}
"""What `has:` means, of which there are marks in the index."""

MARKS = (
    f"' {MARK}m {MARK}s' || m.sender || ' {MARK}c' || m.conversation || ' ' || {search_months.marks('m.at', MARK)}"
    + "".join(f" || CASE WHEN {condition} THEN ' {MARK}h{name}' ELSE '' END" for name, condition in HAS.items())
)
"""What the index holds of a message beside its words, as text."""

# A text of ASCII is left to FTS5 and costs no call into Python. Its words end where ours do.
_WORDS = (
    f"CASE WHEN length(CAST({TEXT} AS BLOB)) = length({TEXT}) AND length({TEXT}) <= {words.LONGEST} "
    f"THEN {TEXT} ELSE search_tokens({TEXT}) END"
)
_FROM = "FROM messages m WHERE m.key > ? AND m.key <= ? AND m.deleted_at IS NULL ORDER BY m.key"
_DOCUMENTS = f"SELECT (m.key << {CONVERSATION_BITS}) | m.conversation, {_WORDS} || {MARKS} {_FROM}"


@record(frozen=True)
class Shard:
    """A full-text table. It holds the messages with gids above `above` up to `upto`."""

    number: int
    above: int
    upto: int
    messages: int

    @property
    def table(self) -> str:
        return f"search_words_{self.number}"


SHARD = "SELECT number, above, upto, messages FROM search_shards "


def shards(reader: Querying) -> list[Shard]:
    """All shards, newest first."""
    return [Shard(*row) for row in reader.execute(SHARD + "WHERE made = 1 ORDER BY upto DESC, number DESC").fetchall()]


def last_indexed(reader: Querying) -> tuple[int, int]:
    """The gid up to which messages are indexed, and the key of the last indexed message that still exists."""
    gid, key = reader.execute("SELECT gid, key FROM search_state").fetchone()
    row = reader.execute("SELECT gid FROM messages WHERE key = ?", (key,)).fetchone()
    if row is None or row[0] != gid:  # it was removed, and its key perhaps given again
        key = last_key(reader, gid)
    return gid, key


def waiting(reader: Querying) -> int:
    """The number of messages not indexed yet; it may include removed ones."""
    return (reader.execute("SELECT max(key) FROM messages").fetchone()[0] or 0) - last_indexed(reader)[1]


def last_key(reader: Querying, gid: int) -> int:
    """The key of the last message with this gid or a lower one, 0 if there is none: gids rise with keys."""
    low, high = 0, (reader.execute("SELECT max(key) FROM messages").fetchone()[0] or 0)
    found = 0
    while low <= high:
        middle = (low + high) // 2
        row = reader.execute("SELECT key, gid FROM messages WHERE key >= ? ORDER BY key LIMIT 1", (middle,)).fetchone()
        if row is not None and row[1] <= gid:
            found, low = row[0], row[0] + 1
        else:
            high = middle - 1
    return found


# ---- filling


def attach(connection: Reader) -> None:
    """Give a connection what the index's statements call; once, as it cannot be done while one of them is open."""
    if not connection.execute("SELECT 1 FROM pragma_function_list WHERE name = 'search_tokens'").fetchone():
        connection.create_function("search_tokens", 1, _tokens, deterministic=True)


def _tokens(text: str) -> str:
    return " ".join(words.index_tokens(text))


def new_shard(connection: Reader, above: int, *, made: bool = True) -> Shard:
    """Create an empty shard; with `made`, searches use it from now on."""
    number = connection.execute(
        "INSERT INTO search_shards (above, upto, made) VALUES (?, ?, ?) RETURNING number", (above, above, int(made))
    ).fetchone()[0]
    shard = Shard(number, above, above, 0)
    connection.execute(
        f"CREATE VIRTUAL TABLE {shard.table} USING fts5(words, content='', columnsize=0, tokenize='ascii')"
    )
    connection.execute(f"CREATE VIRTUAL TABLE {shard.table}_terms USING fts5vocab({shard.table}, row)")
    connection.execute(f"INSERT INTO {shard.table} ({shard.table}, rank) VALUES ('automerge', 8)")  # noqa: S608
    return shard


def retire_shard(connection: Reader, number: int) -> None:
    """Remove a shard from the index; `drop_slice` deletes its tables."""
    connection.execute("UPDATE search_shards SET made = 2 WHERE number = ?", (number,))


def drop_slice(connection: Reader) -> bool:
    """Delete some rows of a retired shard; returns whether there may be more. All at once would take too long."""
    row = connection.execute("SELECT number FROM search_shards WHERE made = 2 LIMIT 1").fetchone()
    if row is None:
        return False
    number: int = row[0]
    table = Shard(number, 0, 0, 0).table
    try:
        rows = connection.execute(
            f"DELETE FROM {table}_data WHERE id IN (SELECT id FROM {table}_data WHERE id > 10 LIMIT {_DROP_PAGES})"  # noqa: S608
        ).rowcount
        if rows == _DROP_PAGES:
            return True
        connection.execute(f"DROP TABLE IF EXISTS {table}_terms")
        connection.execute(f"DROP TABLE IF EXISTS {table}")
    except sqlite3.DatabaseError as error:
        if not connection.in_transaction:
            raise
        logger.error("the table %s is damaged; parts that cannot be dropped stay unused: %s", table, error)
    connection.execute("DELETE FROM search_shards WHERE number = ?", (number,))
    return True


_DROP_PAGES = 250
_MERGE_PAGES = 64


def merge_slice(connection: Reader) -> bool:
    """Merge some of the segments of a full shard; returns whether there may be more to merge.

    A search looks for each word in each segment.
    """
    row = connection.execute(
        "SELECT number, merged FROM search_shards WHERE made = 1 AND merged <> 1 "
        "AND upto < (SELECT max(upto) FROM search_shards WHERE made = 1) LIMIT 1"
    ).fetchone()
    if row is None:
        return False
    number, merging = row
    table = Shard(number, 0, 0, 0).table
    before = connection.total_changes
    connection.execute(
        f"INSERT INTO {table} ({table}, rank) VALUES ('merge', ?)",  # noqa: S608
        (_MERGE_PAGES if merging else -_MERGE_PAGES,),
    )
    merged = 1 if merging and connection.total_changes - before < 2 else 2
    connection.execute("UPDATE search_shards SET merged = ? WHERE number = ?", (merged, number))
    return True


def fill(connection: Reader, shard: Shard, above_key: int, upto_key: int) -> int:
    """Index the messages between two keys; returns how many."""
    sql = f"INSERT INTO {shard.table} (rowid, words) {_DOCUMENTS}"
    return connection.execute(sql, (above_key, upto_key)).rowcount


def batch_end(connection: Reader, above_key: int, messages: int, upto_gid: int) -> tuple[int, int] | None:
    """Key and gid of the last message of a batch: `messages` messages, and all others with the gid of the last."""
    row = connection.execute(
        "SELECT max(key), max(gid) FROM "
        "(SELECT key, gid FROM messages WHERE key > ? AND gid <= ? ORDER BY key LIMIT ?) m",
        (above_key, upto_gid, messages),
    ).fetchone()
    if row[0] is None:
        return None
    key, gid = row
    following = connection.execute(
        "SELECT key FROM messages WHERE key > ? AND gid > ? ORDER BY key LIMIT 1", (key, gid)
    ).fetchone()
    last = connection.execute("SELECT max(key) FROM messages").fetchone()[0] if following is None else following[0] - 1
    return last, gid


_ALL = 2**62


def index_batch(connection: Reader, settings: SearchSettings) -> bool:
    """Index the next batch of messages; returns whether there may be more. Needs a transaction."""
    gid, key = last_indexed(connection)
    end = batch_end(connection, key, settings.batch_messages, _ALL)
    if end is None:
        return False
    newest = next(iter(shards(connection)), None)
    if newest is None or newest.messages >= settings.shard_messages:
        newest = new_shard(connection, gid)
    indexed = fill(connection, newest, key, end[0])
    connection.execute(
        "UPDATE search_shards SET upto = ?, messages = messages + ? WHERE number = ?",
        (end[1], indexed, newest.number),
    )
    connection.execute("UPDATE search_state SET gid = ?, key = ?", (end[1], end[0]))
    return end[0] - key >= settings.batch_messages


# ---- what is in it


def indexed(reader: Querying) -> int:
    """The number of messages in the index."""
    return reader.execute("SELECT coalesce(sum(messages), 0) FROM search_shards WHERE made = 1").fetchone()[0]


def remains(reader: Reader, texts: list[str]) -> list[str]:
    """Those of `texts` that the index still has as a message's words, although no message says them any more."""
    return [text for text in texts if any(_remains_in(reader, shard, text) for shard in shards(reader))]


_PROVING_WORDS = 32


def _remains_in(reader: Reader, shard: Shard, text: str) -> bool:
    tokens = list(dict.fromkeys(words.index_tokens(text)))[:_PROVING_WORDS]
    if not tokens:
        return False
    rows = reader.execute(
        f"SELECT {TEXT} FROM {shard.table} s LEFT JOIN messages m ON m.key = (s.rowid >> {CONVERSATION_BITS}) "  # noqa: S608
        f"AND m.conversation = (s.rowid & {CONVERSATION_MASK}) AND m.deleted_at IS NULL "
        f"WHERE {shard.table} MATCH ?",
        (" AND ".join(f'"{token}"' for token in tokens),),
    )
    return any(said is None or not set(tokens) <= set(words.index_tokens(said)) for (said,) in rows)


TABLES = (
    CoreTable("search_state", left_out="rebuilt from the messages"),
    CoreTable("search_shards", left_out="part of the index of words"),
    CoreTable("search_changed", left_out="part of the index of words"),
)
