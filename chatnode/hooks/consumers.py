"""The consumers of a node's plugins: woken by commits, each in its own task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import trio

from chatnode.errors import Refusal
from chatnode.hooks.consumer import ReadOutcome, RunningConsumer
from chatnode.hooks.manager import Manager
from chatnode.hooks.supervisor import Supervised
from chatnode.hooks.unwilling import Stop
from chatnode.logs import get_logger
from chatnode.model.plugins import ConsumerStatus, SetAside
from chatnode.storage.engine.connection import DatabaseError
from chatnode.storage.engine.database import Database
from chatnode.storage.log import consumers as storage
from chatnode.storage.log import log
from chatnode.storage.log.consumers import Name

logger = get_logger("plugins")


class Consumers:
    """The consumers of running plugins. Created when the node is open; they read the log while `run` runs, or step by
    step in `catch_up`."""

    def __init__(self, db: Database, plugins: Manager) -> None:
        self._db = db
        self._plugins = plugins
        self._stop = Stop()
        self._all: dict[Name, RunningConsumer] = {}
        for loaded in plugins:
            for each in loaded.plugin.consumers:
                self._all[loaded.plugin.name, each.name] = RunningConsumer(db, plugins, loaded, each, self._stop)
        self._of_all_kinds = [each for each in self if each.consumer.kinds is None]
        self._of_kind: dict[str, list[RunningConsumer]] = {}
        for each in self:
            for kind in each.consumer.kinds or ():
                self._of_kind.setdefault(kind, []).append(each)
        self._head = 0

    def __iter__(self) -> Iterator[RunningConsumer]:
        return iter(self._all.values())

    def __len__(self) -> int:
        return len(self._all)

    # ---- going on

    def committed(self, firsts: Mapping[str, int], head: int) -> None:
        """Wake the consumers of events with these kinds and first gids; `head` is the last gid of all. Part of the
        commit listener: never raises or blocks."""
        self._head = head
        for kind, gid in firsts.items():
            for each in (*self._of_all_kinds, *self._of_kind.get(kind, ())):
                each.wanted(gid)

    async def load(self) -> None:
        """Load the position of each. If the database is damaged, that is postponed."""
        try:
            self._head = await self._db.read(log.head)
            for each in self:
                each.opened_at = self._head
            for each in self:
                await each.load()
        except (Refusal, DatabaseError) as error:
            logger.error("the positions of plugins' consumers cannot be read: %s", error)

    async def run(self) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as nursery:
            for each in self:
                plugin, name = each.name
                report = partial(self._plugins.report, plugin, f"consumer {name}")
                supervised = Supervised(plugin, name, each.run, report)
                nursery.start_soon(supervised.keep_running)
            await self._stop.wait()

    async def catch_up(self, plugin: str | None = None, consumer: str | None = None) -> list[ConsumerStatus]:
        """Let all consumers, those of a plugin, or one, process everything in the log; returns their positions.

        There are no pauses: a row that fails is set aside as soon as its tries are used up. A consumer that fails for
        another reason stays where it is.
        """
        head = await self._db.read(log.head)
        chosen = [each for each in self if plugin in (None, each.name[0]) and consumer in (None, each.name[1])]
        async with trio.open_nursery() as nursery:
            for each in chosen:
                nursery.start_soon(_catch_up, each, head)
        return [self._status(each) for each in chosen]

    # ---- looking at them

    def statuses(self) -> list[ConsumerStatus]:
        """The position of each."""
        return [self._status(each) for each in self]

    def _status(self, each: RunningConsumer) -> ConsumerStatus:
        head = max(self._head, each.newest)
        place = each.place(head)
        return ConsumerStatus(*each.name, place, max(0, head - place), each.set_aside, each.failing)

    def check(self, plugin: str, consumer: str) -> None:
        """Raises `Refusal("not_found")` if no such consumer runs."""
        self._running(plugin, consumer)

    def _running(self, plugin: str, consumer: str) -> RunningConsumer:
        found = self._all.get((plugin, consumer))
        if found is None:
            known = ", ".join(".".join(name) for name in self._all) or "none"
            raise Refusal(
                "not_found",
                f"the plugin {plugin} has no running consumer {consumer}; running are: {known}",
                path="consumer",
            )
        return found

    # ---- what an operator does with them

    def moved(self, plugin: str, consumer: str) -> None:
        """Handle a consumer's cursor that was moved in the database."""
        self._running(plugin, consumer).moved()

    def row_removed(self, entry: SetAside) -> None:
        """Handle a set-aside row that was removed from the list."""
        found = self._all.get((entry.plugin, entry.consumer))
        if found is not None:
            found.set_aside -= 1

    async def retry(self, entry: SetAside) -> str | None:
        """Let a consumer retry a row that it has set aside; returns the failure, or None.

        Raises `Refusal`: `not_found` if the consumer does not run, `gone` if the row is no longer in the log,
        `unavailable` if it failed for a reason other than the row.
        """
        found = self._running(entry.plugin, entry.consumer)
        row = await self._db.read(lambda reader: storage.row_at(reader, entry.gid))
        if row is None:
            raise Refusal("gone", "the row is no longer in the log; dismiss it", path="entry")
        return await found.retry(row, entry)


async def _catch_up(consumer: RunningConsumer, head: int) -> None:
    while await consumer.step() is not ReadOutcome.HELD_UP and consumer.cursor < head:
        pass
