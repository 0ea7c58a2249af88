"""What the dialogues about stored files are written in."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import chatnode_attachments
from chatnode_attachments.state import Attachments
from chatnode_attachments.store.rows import FileRow, Upload
from chatnode_attachments.store.store import Store

from chatnode.api import Context
from chatnode.dispatch.caller import Caller
from chatnode.node import Node
from chatnode.testing import User


def context(node: Node, who: User | None = None) -> Context:
    """The plugin's context of a request of this user; without a user, that of its tasks."""
    loaded = node.plugins.loaded["attachments"]
    return loaded.context if who is None else loaded.context_of(Caller(node.core, who.account))


def store_of(node: Node) -> Store:
    return node.core.state(Attachments).store


async def pieces(*parts: bytes) -> AsyncGenerator[bytes]:
    """A client that sends these."""
    for part in parts:
        yield part


async def broken(error: BaseException, *parts: bytes) -> AsyncGenerator[bytes]:
    """A client that sends these, and then vanishes."""
    for part in parts:
        yield part
    raise error


class Uploader:
    """A user who uploads to the store, as the handlers of requests do for them."""

    def __init__(self, node: Node, user: User) -> None:
        self.node = node
        self.user = user
        self.ctx = context(node, user)
        self.store = store_of(node)

    async def creates(self, length: int | None = None, name: str = "a.txt", **fields: Any) -> str:
        fields = {"declared": "text/plain", **fields}
        return (await self.store.create(self.ctx, name=name, length=length, **fields)).id

    async def sends(self, id: str, chunks: AsyncGenerator[bytes] | bytes, offset: int = 0, **fields: Any) -> Upload:
        """One request, which finishes the upload if it has everything then."""
        if isinstance(chunks, bytes):
            chunks = pieces(chunks)
        async with aclosing(chunks), self.store.lock(id):
            upload = await self.store.find(self.ctx, id)
            upload = await self.store.receive(self.ctx, upload, chunks, offset=offset, **fields)
            if upload.complete:
                await self.store.finish(self.ctx, upload)
            return upload

    async def uploads(self, content: bytes, name: str = "a.txt", **fields: Any) -> FileRow:
        id = await self.creates(len(content), name, **fields)
        async with self.store.lock(id):
            upload = await self.store.find(self.ctx, id)
            upload = await self.store.receive(self.ctx, upload, pieces(content), offset=0)
            return await self.store.finish(self.ctx, upload)

    async def offset(self, id: str) -> int:
        async with self.store.lock(id):
            return (await self.store.find(self.ctx, id)).durable

    def reads(self, file: FileRow) -> bytes:
        return self.store.layout.blob(file.blob_name).read_bytes()


async def rows(node: Node, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    return await node.core.db.read(lambda reader: reader.execute(sql, values).fetchall())


PLUGINS = [chatnode_attachments]
