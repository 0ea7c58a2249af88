"""The index of search in one go: what the node does in slices, and what its tables hold."""

from __future__ import annotations

from chatnode.config import Search as SearchSettings
from chatnode.model import words
from chatnode.storage.engine.connection import Querying
from chatnode.storage.search.index import indexed, shards
from chatnode.storage.search.renewal import Rebuilding, Settling


def settle(tx: Querying) -> int:
    """Rebuild what changed; returns the number of shards rebuilt."""
    settling = Settling()
    while not settling.go_on(tx):
        pass
    return settling.renewed


def rebuild(tx: Querying, settings: SearchSettings | None = None) -> int:
    """Rebuild everything; returns the number of messages in the index."""
    rebuilding = Rebuilding(settings or SearchSettings())
    while not rebuilding.go_on(tx):
        pass
    return indexed(tx.connection)


def occurrences(reader: Querying, word: str) -> int:
    """The number of messages for which a word is in the index's tables, regardless of visibility."""
    (token,) = words.index_tokens(word)
    return sum(
        reader.execute(f"SELECT coalesce(max(doc), 0) FROM {shard.table}_terms WHERE term = ?", (token,)).fetchone()[0]
        for shard in shards(reader)
    )
