"""Rebuilds parts of the index from the messages: the only way to remove text from it."""

from __future__ import annotations

import attrs

from chatnode.config import Search as SearchSettings
from chatnode.model.records import record
from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.search.index import (
    SHARD,
    Shard,
    attach,
    batch_end,
    drop_slice,
    fill,
    index_batch,
    last_key,
    new_shard,
    retire_shard,
)  # fmt: skip


@record
class Renewal:
    """Replaces a shard, in batches, by one made from the messages as they are now."""

    old: int
    new: Shard
    serial: int  # changes up to this one are in it, those after it perhaps not
    gid: int  # messages up to here are in it

    @classmethod
    def begin(cls, connection: Reader, gid: int) -> Renewal | None:
        """Start to replace the shard that holds `gid`; None if there is none."""
        row = connection.execute(SHARD + "WHERE made = 1 AND above < ? AND upto >= ?", (gid, gid)).fetchone()
        if row is None:
            return None
        old = Shard(*row)
        serial = connection.execute("SELECT max(serial) FROM search_changed").fetchone()[0]
        return cls(old.number, new_shard(connection, old.above, made=False), serial, old.above)

    def go_on(self, connection: Reader, settings: SearchSettings) -> bool:
        """Index a batch; returns True when the new shard has replaced the old one, or the old one is gone."""
        row = connection.execute(
            "SELECT o.upto, (SELECT max(upto) FROM search_shards WHERE made = 1) FROM search_shards o, search_shards n "
            "WHERE o.number = ? AND o.made = 1 AND n.number = ? AND n.made = 0",
            (self.old, self.new.number),
        ).fetchone()
        if row is None:  # it was rebuilt meanwhile, or all of them were
            connection.execute("UPDATE search_shards SET made = 2 WHERE number = ? AND made = 0", (self.new.number,))
            return True
        upto, newest = row
        key = last_key(connection, self.gid)  # not kept: keys of removed messages are given again
        end = batch_end(connection, key, settings.batch_messages, upto)
        if end is not None:
            indexed = fill(connection, self.new, key, end[0])
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
        retire_shard(connection, self.old)
        if upto < newest and not _messages(connection, self.new.number):
            retire_shard(connection, self.new.number)
        return True


def _messages(connection: Reader, number: int) -> int:
    return connection.execute("SELECT messages FROM search_shards WHERE number = ?", (number,)).fetchone()[0]


@record
class Settling:
    """Rebuilds every shard with messages that changed or were removed before it began.

    Afterwards no table of the index has ever held what those messages said before: it was filled from the messages
    as they are now, and the pages of its predecessor are zeroed. Takes about half a second for each shard, in slices,
    so that others can write in between.
    """

    settings: SearchSettings = attrs.field(factory=SearchSettings)
    renewed: int = 0
    _renewal: Renewal | None = attrs.field(default=None, init=False)
    _upto: int | None = attrs.field(default=None, init=False)

    def go_on(self, tx: Querying) -> bool:
        """One slice; True when there is nothing more to do. Needs a transaction."""
        connection = tx.connection
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
            return not drop_slice(connection)
        self._renewal = Renewal.begin(connection, oldest[0])
        if self._renewal is None:  # its shard is gone
            connection.execute("DELETE FROM search_changed WHERE gid = ?", oldest)
        return False


@record
class Rebuilding:
    """Rebuilds the whole index from the messages, in slices. Takes about 20 s for a million."""

    settings: SearchSettings = attrs.field(factory=SearchSettings)
    _begun: bool = attrs.field(default=False, init=False)

    def go_on(self, tx: Querying) -> bool:
        """One slice; True when there is nothing more to do. Needs a transaction."""
        connection = tx.connection
        attach(connection)
        if not self._begun:
            connection.execute("UPDATE search_state SET gid = 0, key = 0")
            connection.execute("UPDATE search_shards SET made = 2")
            connection.execute("DELETE FROM search_changed")
            self._begun = True
        return not (drop_slice(connection) or index_batch(connection, self.settings))


def give_up_unfinished(connection: Reader) -> None:
    """Retire shards that were unfinished when the node stopped."""
    connection.execute("UPDATE search_shards SET made = 2 WHERE made = 0")
