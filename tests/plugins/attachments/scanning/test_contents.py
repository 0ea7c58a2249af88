"""Verdicts in the tables: what is retried when, and what is removed."""

from __future__ import annotations

from pathlib import Path

import pytest
from chatnode_attachments.scanning import contents
from chatnode_attachments.scanning.contents import DueContent
from chatnode_attachments.scanning.verdicts import Clean, Infected, ScanVerdict, Unknown

from chatnode.api import Transaction, now_ms
from chatnode.node import Node, open_node
from chatnode.testing import User, configured
from tests.plugins.attachments.serving.storing import Stored, Storing
from tests.plugins.attachments.store.storing import PLUGINS


@pytest.fixture
async def node(tmp_path: Path) -> object:
    config = configured(plugins={"attachments": {"clamd": "unix:/nowhere/clamd.ctl"}})
    async with open_node(tmp_path, config, only=PLUGINS) as node:
        yield node


class Scanning:
    """One stored file that waits for its scan."""

    def __init__(self, storing: Storing, stored: Stored) -> None:
        self.storing = storing
        self.stored = stored

    async def waits(self) -> None:
        await self.storing.set_content(self.stored, "scan", "pending")
        await self.storing.set_content(self.stored, "scan_due", now_ms())

    async def due(self, after: int = 0) -> list[DueContent]:
        """What is due in so many milliseconds."""
        return await self.storing.context.read(lambda reader: contents.due(reader, now_ms() + after, 10))

    async def settles(self, content: DueContent, verdict: ScanVerdict) -> str:
        return await self.storing.context.write(lambda tx: contents.store_verdict(tx, content, verdict))

    async def row(self) -> tuple[object, ...]:
        sql = "SELECT scan, place, scan_tries, scan_says FROM attachments_blobs WHERE key = ?"
        return (await self.storing.rows(sql, self.stored.blob))[0]


@pytest.fixture
async def waiting(node: Node) -> Scanning:
    storing = Storing(node)
    scanning = Scanning(storing, await storing.picture(await User.new(node, "ann")))
    await scanning.waits()
    return scanning


async def test_what_failed_is_tried_again_ever_more_seldom_and_for_ever(waiting: Scanning) -> None:
    (content,) = await waiting.due()

    def fails(tx: Transaction) -> float:
        contents.store_verdict(tx, content, Unknown("it is down"))
        due = tx.execute("SELECT scan_due FROM attachments_blobs WHERE key = ?", (content.key,)).fetchone()[0]
        return (due - tx.now) / 1000

    waits = [await waiting.storing.context.write(fails) for _ in range(14)]
    assert await waiting.due() == []
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600, 600]
    assert await waiting.row() == ("error", "local", 14, "it is down")
    assert await waiting.settles(content, Clean("v1")) == "safe"
    assert await waiting.row() == ("safe", "local", 0, None)
    assert await waiting.due(10**9) == []


async def test_what_is_unsafe_loses_its_bytes_and_thumbnails_at_once(waiting: Scanning) -> None:
    (content,) = await waiting.due()
    assert await waiting.settles(content, Infected("Worm", "v1")) == "unsafe"
    assert await waiting.row() == ("unsafe", "removed", 0, "Worm")
    assert await waiting.storing.rows("SELECT count(*) FROM attachments_derived") == [(0,)]
    trees = await waiting.storing.rows("SELECT tree FROM attachments_trash ORDER BY tree")
    assert trees == [("blobs",), ("derived",)]
    assert await waiting.settles(content, Clean("v2")) == "unchanged"
    assert (await waiting.row())[0] == "unsafe"


async def test_what_was_safe_stays_safe_while_it_cannot_be_scanned_again(waiting: Scanning) -> None:
    (content,) = await waiting.due()
    await waiting.settles(content, Clean("v1"))
    await waiting.storing.context.write(lambda tx: contents.scan_again(tx, [content.key]))
    assert await waiting.due(1) == [content]
    assert await waiting.settles(content, Unknown("it is down")) == "unchanged"
    assert await waiting.row() == ("safe", "local", 1, "it is down")
    assert await waiting.settles(content, Infected("Worm")) == "unsafe"


async def test_a_verdict_on_bytes_that_are_not_there_any_more_says_nothing(waiting: Scanning) -> None:
    (content,) = await waiting.due()
    await waiting.storing.set_content(waiting.stored, "name", "f" * 32)  # removed, and uploaded again
    assert await waiting.settles(content, Clean("v1")) == "unchanged"
    assert (await waiting.row())[0] == "pending"


async def test_the_oldest_come_first_and_what_is_due_later_is_known(waiting: Scanning, node: Node) -> None:
    ann = await User.of(node, "ann")
    older = await waiting.storing.file(ann, b"older", scan="pending")
    await waiting.storing.set_content(older, "scan_due", now_ms() - 5_000)
    assert [each.key for each in await waiting.due()] == [older.blob, waiting.stored.blob]
    read = waiting.storing.context.read
    first = await read(lambda reader: contents.next_due(reader, frozenset()))
    second = await read(lambda reader: contents.next_due(reader, frozenset({older.blob})))
    assert first is not None
    assert second is not None
    assert first < second
    assert await read(lambda reader: contents.next_due(reader, frozenset({older.blob, waiting.stored.blob}))) is None
    found = await read(contents.backlog)
    assert (found.waiting, found.failed) == (2, 0)
