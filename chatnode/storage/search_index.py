"""The index of messages' words: FTS5 tables that are filled in batches after the messages were posted.

What is in the index is found by its shards, what was posted since (`tail`) and what was changed since (`changed`) by
looking at the messages themselves; `storage/search.py` does all three, so that nothing is ever missing. Triggers of
`schema/0005_search.sql` write down what changed: whoever edits, deletes or removes messages need not call anything.

A shard is a stretch of the log. Text goes from it when it is made anew from the messages: FTS5 itself only marks
what is deleted. See docs/adr/0010-search.md.
"""

from __future__ import annotations

import sqlite3

import attrs

from chatnode.config import Search as SearchSettings
from chatnode.model import words
from chatnode.storage.database import Reader, Transaction

MARK = "\ue000"
"""Begins what the index holds beside words. It is of the private use area, so that no word has it."""

CONVERSATION_BITS = 28
CONVERSATION_MASK = (1 << CONVERSATION_BITS) - 1
"""A row of the index is numbered by its message's key and, in the lower bits, its conversation's."""

TEXT = "(CASE WHEN m.content IS NULL THEN m.text ELSE m.text || char(10) || coalesce(m.content ->> 'name', '') END)"
"""What of a message is searched: its text, and the name of its file or place."""

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

MARKS = f"' {MARK}m {MARK}s' || m.sender || ' {MARK}c' || m.conversation || " + " || ".join(
    f"CASE WHEN {condition} THEN ' {MARK}h{name}' ELSE '' END" for name, condition in HAS.items()
)
"""What the index holds of a message beside its words, as text."""

# A text of ASCII is left to FTS5 and costs no call into Python. Its words end where ours do.
_WORDS = (
    f"CASE WHEN length(CAST({TEXT} AS BLOB)) = length({TEXT}) AND length({TEXT}) <= {words.LONGEST} "
    f"THEN {TEXT} ELSE search_tokens({TEXT}) END"
)
_FROM = "FROM messages m WHERE m.key > ? AND m.key <= ? AND m.deleted_at IS NULL ORDER BY m.key"
_DOCUMENTS = f"SELECT (m.key << {CONVERSATION_BITS}) | m.conversation, {_WORDS} || {MARKS} {_FROM}"


@attrs.frozen
class Shard:
    """A full-text table. It holds the messages with gids above `above` up to `upto`."""

    number: int
    above: int
    upto: int
    messages: int

    @property
    def table(self) -> str:
        return f"search_words_{self.number}"


_SHARD = "SELECT number, above, upto, messages FROM search_shards "


def shards(reader: Reader | Transaction) -> list[Shard]:
    """Newest first."""
    return [Shard(*row) for row in reader.execute(_SHARD + "WHERE made ORDER BY upto DESC, number DESC").fetchall()]


def last_indexed(reader: Reader | Transaction) -> tuple[int, int]:
    """The gid up to which messages are in the shards, and the key of the last of them that is there."""
    gid, key = reader.execute("SELECT gid, key FROM search_state").fetchone()
    row = reader.execute("SELECT gid FROM messages WHERE key = ?", (key,)).fetchone()
    if row is None or row[0] != gid:  # it was removed, and its key perhaps given again
        key = last_key(reader, gid)
    return gid, key


def last_key(reader: Reader | Transaction, gid: int) -> int:
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


def attach(connection: sqlite3.Connection) -> None:
    """Give a connection what the index's statements call; once, as it cannot be done while one of them is open."""
    if not connection.execute("SELECT 1 FROM pragma_function_list WHERE name = 'search_tokens'").fetchone():
        connection.create_function("search_tokens", 1, _tokens, deterministic=True)


def _tokens(text: str) -> str:
    return " ".join(words.index_tokens(text))


def _new_shard(connection: sqlite3.Connection, above: int, *, made: bool = True) -> Shard:
    number = connection.execute(
        "INSERT INTO search_shards (above, upto, made) VALUES (?, ?, ?)", (above, above, int(made))
    ).lastrowid
    assert number is not None
    shard = Shard(number, above, above, 0)
    connection.execute(
        f"CREATE VIRTUAL TABLE {shard.table} USING fts5(words, content='', columnsize=0, detail=none, tokenize='ascii')"
    )
    connection.execute(f"CREATE VIRTUAL TABLE {shard.table}_terms USING fts5vocab({shard.table}, row)")
    connection.execute(f"INSERT INTO {shard.table} ({shard.table}, rank) VALUES ('automerge', 8)")  # noqa: S608
    return shard


def _drop_shard(connection: sqlite3.Connection, number: int) -> None:
    table = Shard(number, 0, 0, 0).table
    connection.execute(f"DROP TABLE IF EXISTS {table}_terms")
    connection.execute(f"DROP TABLE IF EXISTS {table}")
    connection.execute("DELETE FROM search_shards WHERE number = ?", (number,))


def _fill(connection: sqlite3.Connection, shard: Shard, above_key: int, upto_key: int) -> int:
    """Index the messages between two keys; gives how many."""
    sql = f"INSERT INTO {shard.table} (rowid, words) {_DOCUMENTS}"
    return connection.execute(sql, (above_key, upto_key)).rowcount


def _batch_end(connection: sqlite3.Connection, above_key: int, messages: int, upto_gid: int) -> tuple[int, int] | None:
    """Key and gid of the last message of a batch: some `messages`, and all that have the gid of the last."""
    row = connection.execute(
        "SELECT max(key), max(gid) FROM "
        "(SELECT key, gid FROM messages WHERE key > ? AND gid <= ? ORDER BY key LIMIT ?)",
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


def index_batch(connection: sqlite3.Connection, settings: SearchSettings) -> bool:
    """Index the next messages that are in no shard; whether there may be more. Needs a transaction."""
    gid, key = last_indexed(connection)
    end = _batch_end(connection, key, settings.batch_messages, _ALL)
    if end is None:
        return False
    newest = next(iter(shards(connection)), None)
    if newest is None or newest.messages >= settings.shard_messages:
        newest = _new_shard(connection, gid)
    indexed = _fill(connection, newest, key, end[0])
    connection.execute(
        "UPDATE search_shards SET upto = ?, messages = messages + ? WHERE number = ?",
        (end[1], indexed, newest.number),
    )
    connection.execute("UPDATE search_state SET gid = ?, key = ?", (end[1], end[0]))
    return end[0] - key >= settings.batch_messages


# ---- making a shard anew


@attrs.define
class Renewal:
    """A shard on its way to be replaced by one made from the messages as they are now."""

    old: int
    new: Shard
    serial: int  # changes up to this one are in it, those after it perhaps not
    gid: int  # messages up to here are in it

    @classmethod
    def begin(cls, connection: sqlite3.Connection, gid: int) -> Renewal | None:
        """Begin with the shard that holds `gid`; None if none does."""
        row = connection.execute(_SHARD + "WHERE made AND above < ? AND upto >= ?", (gid, gid)).fetchone()
        if row is None:
            return None
        old = Shard(*row)
        serial = connection.execute("SELECT max(serial) FROM search_changed").fetchone()[0]
        return cls(old.number, _new_shard(connection, old.above, made=False), serial, old.above)

    def go_on(self, connection: sqlite3.Connection, settings: SearchSettings) -> bool:
        """Index a batch; True when the shard has taken the old one's place, or need not."""
        row = connection.execute(
            "SELECT o.upto, (SELECT max(upto) FROM search_shards) FROM search_shards o, search_shards n "
            "WHERE o.number = ? AND n.number = ? AND NOT n.made",
            (self.old, self.new.number),
        ).fetchone()
        if row is None:  # somebody else made it anew, or all of them
            _drop_unmade(connection, self.new.number)
            return True
        upto, newest = row
        key = last_key(connection, self.gid)  # not kept: keys of removed messages are given again
        end = _batch_end(connection, key, settings.batch_messages, upto)
        if end is not None:
            indexed = _fill(connection, self.new, key, end[0])
            connection.execute(
                "UPDATE search_shards SET messages = messages + ? WHERE number = ?", (indexed, self.new.number)
            )
            self.gid = end[1]
            if end[0] - key >= settings.batch_messages:
                return False
        connection.execute("UPDATE search_shards SET upto = ?, made = 1 WHERE number = ?", (upto, self.new.number))
        connection.execute(
            "DELETE FROM search_changed WHERE serial <= ? AND gid > ? AND gid <= ?",
            (self.serial, self.new.above, upto),
        )
        _drop_shard(connection, self.old)
        if upto < newest and not _messages(connection, self.new.number):
            _drop_shard(connection, self.new.number)
        return True


def _messages(connection: sqlite3.Connection, number: int) -> int:
    return connection.execute("SELECT messages FROM search_shards WHERE number = ?", (number,)).fetchone()[0]


@attrs.define
class Settling:
    """Makes every shard anew of which a message changed or was removed before it began.

    Afterwards no table of the index has ever held what those messages said before: it was filled from the messages
    as they are now, and the pages of its predecessor are zeroed. Takes about half a second for each shard, in slices,
    so that others can write in between.
    """

    settings: SearchSettings = attrs.field(factory=SearchSettings)
    renewed: int = 0
    _renewal: Renewal | None = attrs.field(default=None, init=False)
    _upto: int | None = attrs.field(default=None, init=False)

    def go_on(self, connection: sqlite3.Connection) -> bool:
        """One slice; True when there is nothing more to do. Needs a transaction."""
        attach(connection)
        if self._upto is None:
            self._upto = connection.execute("SELECT coalesce(max(serial), 0) FROM search_changed").fetchone()[0]
        if self._renewal is not None:
            if self._renewal.go_on(connection, self.settings):
                self._renewal = None
                self.renewed += 1
            return False
        oldest = connection.execute(
            "SELECT gid FROM search_changed WHERE serial <= ? ORDER BY serial LIMIT 1", (self._upto,)
        ).fetchone()
        if oldest is None:
            return True
        self._renewal = Renewal.begin(connection, oldest[0])
        if self._renewal is None:  # its shard is gone
            connection.execute("DELETE FROM search_changed WHERE gid = ?", oldest)
        return False


def settle(tx: Transaction | sqlite3.Connection) -> int:
    """A `Settling` in one go; gives how many shards were made anew."""
    settling = Settling()
    while not settling.go_on(tx.connection if isinstance(tx, Transaction) else tx):
        pass
    return settling.renewed


def rebuild(tx: Transaction | sqlite3.Connection, settings: SearchSettings | None = None) -> int:
    """Make the whole index anew from the messages; gives how many it has. Takes about 10 s for a million."""
    connection = tx.connection if isinstance(tx, Transaction) else tx
    attach(connection)
    for (number,) in connection.execute("SELECT number FROM search_shards").fetchall():
        _drop_shard(connection, number)
    connection.execute("DELETE FROM search_changed")
    connection.execute("UPDATE search_state SET gid = 0, key = 0")
    while index_batch(connection, settings or SearchSettings()):
        pass
    return connection.execute("SELECT coalesce(sum(messages), 0) FROM search_shards").fetchone()[0]


def _drop_unmade(connection: sqlite3.Connection, number: int) -> None:
    if connection.execute("SELECT 1 FROM search_shards WHERE number = ? AND NOT made", (number,)).fetchone():
        _drop_shard(connection, number)


def drop_unfinished(connection: sqlite3.Connection) -> None:
    """Drop shards that were being made when the node stopped."""
    for (number,) in connection.execute("SELECT number FROM search_shards WHERE NOT made").fetchall():
        _drop_shard(connection, number)


def occurrences(reader: Reader | Transaction, word: str) -> int:
    """Of how many messages a single word is in the index's tables, whoever may see them."""
    (token,) = words.index_tokens(word)
    return sum(
        reader.execute(f"SELECT coalesce(max(doc), 0) FROM {shard.table}_terms WHERE term = ?", (token,)).fetchone()[0]  # noqa: S608
        for shard in shards(reader)
    )


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
