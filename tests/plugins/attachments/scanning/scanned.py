"""A node that scans, and what its tests say of files."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio
from chatnode_attachments.scanning.canary import EICAR
from chatnode_attachments.scanning.scanner import Scanner
from chatnode_attachments.scanning.verdicts import Servable, servable
from chatnode_attachments.state import Attachments
from chatnode_attachments.store.files import find_file
from chatnode_attachments.store.rows import FileRow

from chatnode.node import Node, open_node
from chatnode.testing import User, configured
from tests.plugins.attachments.store.storing import PLUGINS, Uploader
from tests.transport.clients import Address, serving

SECONDS = 30
"""Far more than anything takes here."""


class ScanningNode:
    """A serving node and a user, Ann, who uploads."""

    def __init__(self, node: Node, ann: Uploader, address: Address) -> None:
        self.node = node
        self.address = address
        self.ann = ann
        self.scanner: Scanner = node.core.state(Attachments).scanner

    async def file(self, id: str) -> FileRow:
        found = await self.node.core.db.read(lambda reader: find_file(reader, id))
        assert found is not None
        return found

    async def served(self, file: FileRow) -> Servable:
        """Whether the file is served now, by the function that decides it."""
        return servable(await self.file(file.id), self.scanner)

    async def scan_of(self, file: FileRow) -> dict[str, Any]:
        """What the tables know about the content's scans."""
        columns = ("scan", "scan_tries", "scan_with", "scan_says", "place")
        sql = f"SELECT {', '.join(columns)} FROM attachments_blobs WHERE key = ?"
        row = await self.node.core.db.read(lambda reader: reader.execute(sql, (file.blob,)).fetchone())
        return dict(zip(columns, row, strict=True))

    async def becomes(self, file: FileRow, expected: Servable) -> None:
        """Wait until it is. What is not expected to be served never is, however short."""

        async def is_so() -> bool:
            now = await self.served(file)
            assert now == expected or now != "yes", "it is served"
            return now == expected

        await self.until(is_so)

    async def fails(self, file: FileRow, says: str) -> None:
        """Wait until a scan of it failed, for this reason."""

        async def is_so() -> bool:
            now = await self.scan_of(file)
            assert now["scan"] in ("pending", "error"), now
            return says in (now["scan_says"] or "")

        await self.until(is_so)
        assert await self.served(file) == "pending"

    async def scanner_becomes(self, state: str) -> None:
        async def is_so() -> bool:
            return self.scanner.state == state

        await self.until(is_so)

    async def until(self, reached: Callable[[], Awaitable[bool]]) -> None:
        with trio.fail_after(SECONDS):
            while not await reached():  # noqa: ASYNC110 - what another process does
                await trio.sleep(0.005)

    async def leaves_the_disk(self, file: FileRow) -> None:
        async def is_so() -> bool:
            return not self.on_disk(file)

        await self.until(is_so)

    def on_disk(self, file: FileRow) -> bool:
        return self.node.core.state(Attachments).layout.blob(file.blob_name).exists()

    async def health(self) -> dict[str, Any]:
        return (await self.node.health())[1]["plugin.attachments"]


@asynccontextmanager
async def scanning_node(data: Path, address: str = "", **settings: Any) -> AsyncGenerator[ScanningNode]:
    """Serving, with Ann on it. The largest file is 3 MiB."""
    section = {"clamd": address, "scan_max_mib": 3, "scan_seconds": 20.0, **settings}
    config = configured(plugins={"attachments": section}, server={"shutdown_seconds": 1.0})
    async with open_node(data, config, only=PLUGINS) as node:
        assert [each.state for each in node.plugins.statuses()] == ["running"]
        users = [each["handle"] for each in (await node.call("people.list"))["people"]]
        ann = await (User.of(node, "ann") if "ann" in users else User.new(node, "ann"))
        async with serving(node) as listening:
            yield ScanningNode(node, Uploader(node, ann), listening)


def infected(bytes: int) -> bytes:
    """A harmless file of this size in which scanners find EICAR."""
    return EICAR.ljust(bytes, b"\0")
