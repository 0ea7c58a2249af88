"""When messages are indexed: not while posts wait, within bounds, and a search finds every message meanwhile."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest
import trio
import trio.testing

from chatnode.config import Search, Storage
from chatnode.model.events import MessagePosted
from chatnode.model.people import Account
from chatnode.model.search_query import parse
from chatnode.storage.conversations import opening
from chatnode.storage.engine.connection import Reader, connect_reader
from chatnode.storage.engine.transaction import Committed, Transaction
from chatnode.storage.messages import posting
from chatnode.storage.messages.posting import Draft
from chatnode.storage.people import people
from chatnode.storage.search import find as search
from chatnode.storage.search import index as search_index
from chatnode.storage.search.indexer import Indexer
from tests.storage import whole_index
from tests.storage.harness import Published, held_up, make_file, opened

BATCH = 3
BOUND = 12
ONE_BY_ONE = Storage(group_jobs=1)
"""Every write commits alone, and those that were handed over with it wait."""


class Room:
    """A user, and a conversation that the user posts in."""

    def __init__(self, db: Published, account: Account, conversation: str) -> None:
        self.db, self.account, self.conversation = db, account, conversation
        self.posted = 0

    @classmethod
    async def open(cls, db: Published) -> Room:
        ann = await db.write(lambda tx: people.create(tx, "ann", role="member"))
        conversation = await db.write(
            lambda tx: opening.open_group(
                tx, ann, title="a room", description="", visibility="private", history="all", others=[],
                most_members=0,
            )
        )  # fmt: skip
        return cls(db, ann, conversation)

    async def post(self) -> None:
        self.posted += 1
        draft = Draft(self.conversation, f"cid-{self.posted}", f"word{self.posted}")
        await self.db.write(lambda tx: posting.post(tx, self.account, draft))

    async def post_together(self, count: int) -> None:
        """All wait when the first is stored."""
        async with held_up(self.db) as writes:
            for _ in range(count):
                writes.start_soon(self.post)
                await trio.testing.wait_all_tasks_blocked()
        await self.db.maintain(lambda _: None)  # until the background was told of the last commit

    def found(self, reader: Reader, word: str) -> list[str]:
        page = search.find(reader, self.account, parse(word), limit=5, seconds=60)
        assert not page.partial
        return [hit.message.text for hit in page.results]

    async def indexed(self) -> None:
        """Wait until nothing is left to index."""
        while await self.db.read(search_index.waiting):  # noqa: ASYNC110 - what a thread does
            await trio.sleep(0.01)


class Watched(Indexer):
    """After every commit and before every slice, how many writes wait and how many messages are not indexed."""

    def __init__(self, settings: Search, path: Path) -> None:
        super().__init__(settings)
        self.path = path
        self.commits: list[tuple[int, int]] = []
        self.slices: list[tuple[int, int]] = []
        self.waiting = 0
        self.room: Room | None = None
        self.found: dict[str, list[str]] = {}  # by a message's text, what a search for it gave when it was stored

    def committed(self, recorded: list[Committed], writes_waiting: int) -> bool:
        with contextlib.closing(connect_reader(self.path)) as reader:
            self.commits.append((writes_waiting, search_index.waiting(reader)))
            for each in recorded:
                if isinstance(each.event, MessagePosted) and self.room is not None:
                    text = each.event.message.text
                    self.found[text] = self.room.found(reader, text)
        due = super().committed(recorded, writes_waiting)
        self.waiting = writes_waiting if due else 0
        return due

    def work(self, connection: Reader) -> None:
        self.slices.append((self.waiting, search_index.waiting(connection)))
        self.waiting = 0  # a slice of an idle moment follows no commit
        super().work(connection)


@pytest.mark.parametrize("bound", [0, BOUND, 1_000])
async def test_indexing_waits_while_posts_wait_up_to_a_bound_of_messages(tmp_path: Path, bound: int) -> None:
    watched = Watched(Search(batch_messages=BATCH, most_behind_messages=bound), make_file(tmp_path / "db"))
    async with opened(tmp_path / "db", ONE_BY_ONE) as db:
        room = watched.room = await Room.open(db)
        db.background = watched
        await room.post_together(60)
        while_posts_wait = [unindexed for waiting, unindexed in watched.slices if waiting]
        assert all(unindexed >= bound for unindexed in while_posts_wait)
        assert bool(while_posts_wait) == (bound < 60)
        assert max(unindexed for _, unindexed in watched.commits) <= min(bound + BATCH, 60)
        assert watched.found == {f"word{number}": [f"word{number}"] for number in range(1, 61)}
        await room.indexed()
        assert await db.read(lambda reader: whole_index.occurrences(reader, "word60")) == 1


async def test_a_moment_without_writes_is_enough_to_catch_up(tmp_path: Path) -> None:
    """A node that is never idle for long indexes what it put off between two posts."""
    indexer = Indexer(Search(batch_messages=BATCH, most_behind_messages=1_000))
    make_file(tmp_path / "db")
    async with opened(tmp_path / "db", inline=True) as db:
        room = await Room.open(db)
        while indexer.idle_seconds() is not None:
            await db.write(lambda tx: indexer.work(tx.connection))
        begun = len(db.published)
        for _ in range(2 * BATCH):
            await room.post()
        assert not indexer.committed(db.published[begun:], writes_waiting=1)
        assert indexer.idle_seconds() == 0
        assert indexer.committed([], writes_waiting=0)


async def test_what_was_put_off_is_indexed_after_a_crash(tmp_path: Path) -> None:
    make_file(tmp_path / "db")
    async with opened(tmp_path / "db", ONE_BY_ONE) as db:
        room = await Room.open(db)
        await room.post_together(20)  # the process that dies had indexed nothing of it
        (tmp_path / "after").mkdir()
        for name in ("db", "db-wal"):
            shutil.copy(tmp_path / name, tmp_path / "after")
    async with opened(tmp_path / "after" / "db") as db:
        room.db = db
        assert await db.read(lambda reader: room.found(reader, "word20")) == ["word20"]
        db.background = Indexer(Search(batch_messages=BATCH))
        await room.post()
        await room.indexed()
        for number in (1, 20, 21):
            assert await db.read(lambda reader, n=number: whole_index.occurrences(reader, f"word{n}")) == 1


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


async def test_indexing_waits_for_posts_no_longer_than_a_bound_of_time(tmp_path: Path) -> None:
    clock = Clock()
    settings = Search(batch_messages=BATCH, most_behind_messages=1_000, most_behind_seconds=5)
    indexer = Indexer(settings, clock)
    make_file(tmp_path / "db")
    async with opened(tmp_path / "db", inline=True) as db:
        room = await Room.open(db)

        async def due_after_posts(count: int) -> bool:
            begun = len(db.published)
            for _ in range(count):
                await room.post()
            return indexer.committed(db.published[begun:], writes_waiting=1)

        def work(tx: Transaction) -> None:
            indexer.work(tx.connection)

        assert not await due_after_posts(5 * BATCH)
        clock.now += 4
        assert not await due_after_posts(1)
        clock.now += 1
        slices = 0
        while await due_after_posts(1):  # until it has caught up, although posts still wait
            await db.write(work)
            slices += 1
        assert slices > 5
        assert await db.read(search_index.waiting) < BATCH
        assert not await due_after_posts(2 * BATCH), "it has caught up, and may wait again"


async def test_removing_text_does_not_wait_for_posts(tmp_path: Path) -> None:
    """A rebuild that has begun goes on under any load: the text of what was deleted is to be gone in time."""
    indexer = Indexer(Search(batch_messages=BATCH, most_behind_messages=1_000, removal_seconds=0))
    make_file(tmp_path / "db")
    async with opened(tmp_path / "db", inline=True) as db:
        room = await Room.open(db)
        for _ in range(2 * BATCH):
            await room.post()
        await db.write(whole_index.rebuild)
        await db.write(lambda tx: tx.execute("UPDATE messages SET text = '', deleted_at = 1 WHERE seq = 2"))
        await db.write(lambda tx: indexer.work(tx.connection))  # nothing is to be indexed, so it looks for changes
        assert await db.read(lambda reader: whole_index.occurrences(reader, "word2")) == 1
        for _ in range(20):
            begun = len(db.published)
            await room.post()
            if indexer.committed(db.published[begun:], writes_waiting=1):
                await db.write(lambda tx: indexer.work(tx.connection))
        assert await db.read(lambda reader: whole_index.occurrences(reader, "word2")) == 0
