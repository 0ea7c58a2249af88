"""Decides when to update the search index: in the writer thread, when no write waits or it is too far behind."""

from __future__ import annotations

import time
from collections.abc import Callable

from chatnode.config import Search as SearchSettings
from chatnode.counting import counted
from chatnode.logs import get_logger
from chatnode.model.events import ConversationImported, MessagePosted
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.transaction import Committed, Recorded
from chatnode.storage.engine.writer import IDLE_SECONDS
from chatnode.storage.search import index as search_index
from chatnode.storage.search import renewal as search_renewal
from chatnode.storage.search.renewal import Renewal

REST_SECONDS = 60.0
"""After a failure, such as a full disk, the index is left alone for this time; searches scan the messages."""

LARGE = 100_000
"""This many messages take about a second, and are worth a log line."""

logger = get_logger("search")


class Indexer:
    """The `Background` of a node's database that keeps the search index.

    It indexes a batch after every `batch_messages` posted messages, and two while more are waiting. While writes wait,
    this is put off, so that a peak of posts does not pay for indexing; but not beyond `most_behind_messages` or
    `most_behind_seconds`, so that what a search must scan stays bounded under any load. Removing text from the index is
    not put off once it has begun.
    """

    def __init__(self, settings: SearchSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._attached = False
        self._posted = 0  # since the last batch that was indexed
        self._since_slice = 0  # posted since the last slice of any work
        self._unindexed = 0  # about how many messages are not indexed
        self._put_off_at: float | None = None  # when a due batch was first put off since the index was complete
        self._stale = True  # whether there may be messages to index, or changes
        self._behind = True  # whether a batch was not enough
        self._tidying = True  # whether a part may be left to drop or to merge
        self._renewal: Renewal | None = None
        self._renew_at: float | None = None
        self._rest_until = 0.0
        self._told: int | None = None  # how many were waiting when that was logged, while it is worth a line

    def committed(self, recorded: list[Committed], writes_waiting: int) -> bool:
        self._stale = self._stale or bool(recorded)
        batch = self._settings.batch_messages
        posted = 0
        for each in recorded:
            if not isinstance(each, Recorded):
                continue
            if isinstance(each.event, MessagePosted):
                posted += 1
            elif isinstance(each.event, ConversationImported):
                posted += batch
        self._posted += posted
        self._since_slice += posted
        self._unindexed += posted
        due = batch // 2 if self._behind or self._renewal is not None else batch
        if self._since_slice < due or (now := self._clock()) < self._rest_until:
            return False
        if writes_waiting == 0 or not self._may_put_off(now):
            return True
        self._behind = True  # a moment without writes is enough to begin
        return False

    def _may_put_off(self, now: float) -> bool:
        if self._renewal is not None or self._unindexed >= self._settings.most_behind_messages:
            return False
        if self._put_off_at is None:
            self._put_off_at = now
        return now - self._put_off_at < self._settings.most_behind_seconds

    def idle_seconds(self) -> float | None:
        now = self._clock()
        if now < self._rest_until:
            return self._rest_until - now
        if self._behind or self._renewal is not None:
            return 0.0 if self._attached else IDLE_SECONDS
        if self._stale:
            return IDLE_SECONDS
        if self._tidying:
            return 0.0
        return max(0.0, self._renew_at - now) if self._renew_at is not None else None

    def failed(self) -> None:
        self._attached = False
        self._stale = self._behind = True
        self._renewal = None
        self._rest_until = self._clock() + REST_SECONDS

    def work(self, connection: Reader) -> None:
        self._since_slice = 0
        if not self._attached:
            search_index.attach(connection)
            search_renewal.give_up_unfinished(connection)
            self._attached = True
            self._tell(search_index.waiting(connection))
        if self._renewal is not None and not self._behind and self._posted < self._settings.batch_messages:
            if self._renewal.go_on(connection, self._settings):
                self._renewal = None
                self._look_for_changes(connection)
            return
        if self._tidying and not self._stale and not self._behind:
            self._tidying = search_index.drop_slice(connection) or search_index.merge_slice(connection)
            return
        self._posted = 0
        self._behind = search_index.index_batch(connection, self._settings)
        self._unindexed = search_index.waiting(connection)
        if self._told is not None:
            self._tell(self._unindexed)
        if not self._behind:
            self._put_off_at = None
            self._stale = False
            self._tidying = True
            if self._renewal is None:
                self._look_for_changes(connection)

    def _tell(self, waiting: int) -> None:
        """Log the progress on a large backlog, as in a database that had no index before."""
        if self._told is None:
            if waiting >= LARGE:
                logger.info("indexing %s for search; until then, searches scan them", counted(waiting, "message"))
                self._told = waiting
        elif waiting == 0 or self._told - waiting >= LARGE:
            logger.info("%s left to index", counted(waiting, "message"))
            self._told = waiting or None

    def _look_for_changes(self, connection: Reader) -> None:
        """Begin to rebuild a shard when text must leave it, and not earlier: one rebuild covers many edits."""
        count, oldest = connection.execute("SELECT count(*), min(at) FROM search_changed").fetchone()
        if not count:
            self._renew_at = None
            return
        left = oldest + self._settings.removal_seconds - time.time()
        if left > 0 and count < self._settings.batch_messages:
            self._renew_at = self._clock() + left
            return
        self._renew_at = None
        gid = connection.execute("SELECT gid FROM search_changed ORDER BY serial LIMIT 1").fetchone()[0]
        self._renewal = Renewal.begin(connection, gid)
        if self._renewal is None:  # its shard was dropped
            connection.execute("DELETE FROM search_changed WHERE gid = ?", (gid,))
            self._stale = True
