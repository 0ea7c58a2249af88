"""Checks the search index against the messages."""

from __future__ import annotations

from collections import Counter

import orjson

from chatnode.model import words
from chatnode.storage.engine.connection import DatabaseError, Reader
from chatnode.storage.search import index as search_index
from chatnode.storage.search.index import CONVERSATION_BITS, MARK, MARKS, TEXT, Shard

MOST_WORDS = 100_000
"""Messages, newest first, of which every word is compared; of older ones, that they are there. About a second."""


def problems(reader: Reader) -> list[str]:
    """Problems of the index; `renewal.Rebuilding` repairs all of them."""
    found: list[str] = []
    left = MOST_WORDS
    above: int | None = None
    for shard in search_index.shards(reader):
        if above is not None and shard.upto > above:
            found.append(f"part {shard.number} of the search index overlaps the next one")
        above = shard.above
        try:
            found += _rows(reader, shard)
            if left > 0 and not found and not _has_changes(reader, shard):
                found += _terms(reader, shard)
                left -= shard.messages
        except DatabaseError as error:
            found.append(f"part {shard.number} of the search index cannot be read: {error}")
    return found or _outside(reader)


def _between(reader: Reader, shard: Shard) -> tuple[int, int]:
    """The keys of a shard's messages: above the first, up to the second."""
    return search_index.last_key(reader, shard.above), search_index.last_key(reader, shard.upto)


def _rows(reader: Reader, shard: Shard) -> list[str]:
    """Checks that a shard holds exactly the messages of its part of the log. Changed messages are checked elsewhere."""
    indexed = _numbers(
        reader,
        f"SELECT json_group_array(rowid) FROM {shard.table} WHERE {shard.table} MATCH ?",  # noqa: S608
        (f'"{MARK}m"',),
    )
    stored = _numbers(
        reader,
        f"SELECT json_group_array((key << {CONVERSATION_BITS}) | conversation) FROM messages "  # noqa: S608
        "WHERE key > ? AND key <= ? AND deleted_at IS NULL",
        _between(reader, shard),
    )
    wrong = {number >> CONVERSATION_BITS for number in indexed ^ stored}
    if wrong:
        wrong -= _numbers(reader, "SELECT json_group_array(message) FROM search_changed")
    return [f"part {shard.number} of the search index has {len(wrong)} messages wrong"] if wrong else []


def _terms(reader: Reader, shard: Shard) -> list[str]:
    """Checks that each word of a shard is in the right number of messages."""
    due: Counter[str] = Counter()
    for text, marks in reader.execute(
        f"SELECT {TEXT}, {MARKS} FROM messages m WHERE m.key > ? AND m.key <= ? AND m.deleted_at IS NULL",  # noqa: S608
        _between(reader, shard),
    ):
        due.update({*words.index_tokens(text), *marks.split()})
    rows = reader.execute(f"SELECT json_group_array(json_array(term, doc)) FROM {shard.table}_terms").fetchone()  # noqa: S608
    found = dict(orjson.loads(rows[0]))
    wrong = sum(found.get(term) != count for term, count in due.items()) + sum(term not in due for term in found)
    return [f"part {shard.number} of the search index has {wrong} words wrong"] if wrong else []


def _has_changes(reader: Reader, shard: Shard) -> bool:
    row = reader.execute(
        "SELECT 1 FROM search_changed WHERE gid > ? AND gid <= ? LIMIT 1", (shard.above, shard.upto)
    ).fetchone()
    return row is not None


def _outside(reader: Reader) -> list[str]:
    """Messages that should be indexed but are in no shard's part of the log."""
    gid, key = search_index.last_indexed(reader)
    inside = 0
    for shard in search_index.shards(reader):
        above, upto = _between(reader, shard)
        inside += _count(reader, above, upto)
    missing = _count(reader, 0, key) - inside
    return [f"{missing} messages up to {gid} are in no part of the search index"] if missing else []


def _count(reader: Reader, above: int, upto: int) -> int:
    return reader.execute(
        "SELECT count(*) FROM messages WHERE key > ? AND key <= ? AND deleted_at IS NULL", (above, upto)
    ).fetchone()[0]


def _numbers(reader: Reader, sql: str, parameters: tuple[object, ...] = ()) -> set[int]:
    """The result of a query that returns one JSON list of numbers."""
    return set(orjson.loads(reader.execute(sql, parameters).fetchone()[0]))


CHECKS = {"search": problems}
