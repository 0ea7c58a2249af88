"""Files put into the store by hand, in any state: what the store would write, without an upload."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import attrs
from chatnode_attachments.store.layout import Layout

from chatnode.api import Context, Transaction, new_id, now_ms
from chatnode.node import Node
from chatnode.testing import User
from tests.plugins.sql import insert

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + bytes(17)
WEBP = b"RIFF\x10\0\0\0WEBPVP8 " + b"\0" * 8


@attrs.frozen
class Stored:
    """A file of the tests'. `path` is where its bytes are."""

    id: str
    key: int
    blob: int
    path: Path
    content: bytes
    name: str

    @property
    def target(self) -> str:
        return f"/plugins/attachments/files/{self.id}"


class Storing:
    """Stores files on a node whose attachments run."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.context: Context = node.plugins.loaded["attachments"].context
        self.layout = Layout(self.context.directory)

    async def file(
        self, uploader: User, content: bytes, *, name: str = "file.bin", type: str = "application/octet-stream",
        derive: str = "none", scan: str = "off", used_by: str | None = None,
    ) -> Stored:  # fmt: skip
        """A file that was uploaded and not posted."""
        blob_name, id = new_id(), new_id()
        path = self.layout.blob(blob_name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        blob = {
            "name": blob_name, "sha256": hashlib.sha256(content).digest(), "bytes": len(content),
            "place": "local", "scan": scan, "derive": derive, "created_at": now_ms(),
        }  # fmt: skip
        file = {
            "id": id, "uploader": uploader.key, "name": name, "type": type, "category": "other",
            "created_at": now_ms(), "used_by": used_by,
        }  # fmt: skip

        def add(tx: Transaction) -> tuple[int, int]:
            blob_key = insert(tx, "attachments_blobs", blob)
            return blob_key, insert(tx, "attachments_files", {**file, "blob": blob_key})

        blob_key, key = await self.context.write(add)
        return Stored(id, key, blob_key, path, content, name)

    async def picture(self, uploader: User, *, thumbnail: bytes = WEBP, **fields: Any) -> Stored:
        """A picture with one thumbnail, of 320 pixels."""
        fields = {"name": "cat.png", "type": "image/png", "derive": "done", **fields}
        stored = await self.file(uploader, PNG + new_id().encode(), **fields)
        name = new_id()
        path = self.layout.derived(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(thumbnail)
        derived = {
            "blob": stored.blob, "kind": "thumb320", "name": name, "sha256": hashlib.sha256(thumbnail).digest(),
            "type": "image/webp", "bytes": len(thumbnail),
            "width": 320, "height": 240,
        }  # fmt: skip
        await self.context.write(lambda tx: insert(tx, "attachments_derived", derived))
        return stored

    async def post(self, stored: Stored, sender: User, conversation: str) -> str:
        """Bind the file to a message that is posted for it; returns the message's id."""
        message = await sender.says(conversation, f"see {stored.name}")
        await self.change(
            "UPDATE attachments_files SET message = (SELECT key FROM messages WHERE id = ?), "
            "conversation = (SELECT conversation FROM messages WHERE id = ?) WHERE key = ?",
            message, message, stored.key,
        )  # fmt: skip
        return message

    async def set_file(self, stored: Stored, column: str, value: object) -> None:
        await self.change(f"UPDATE attachments_files SET {column} = ? WHERE key = ?", value, stored.key)

    async def set_content(self, stored: Stored, column: str, value: object) -> None:
        await self.change(f"UPDATE attachments_blobs SET {column} = ? WHERE key = ?", value, stored.blob)

    async def change(self, sql: str, *values: object) -> None:
        await self.context.write(lambda tx: tx.execute(sql, values))

    async def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return await self.context.read(lambda reader: reader.execute(sql, values).fetchall())
