"""Files that were uploaded, put into the tables by hand, and people who post them."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path
from typing import Any

from chatnode_attachments.store.layout import Layout

from chatnode.api import Transaction, new_id, now_ms
from chatnode.node import Node
from chatnode.testing import User
from tests.plugins.sql import insert

PLUGIN = "chatnode_attachments"
PICTURE = {"type": "image/png", "category": "image", "width": 40, "height": 30, "derive": "done"}
SOUND = {"type": "audio/ogg", "category": "audio"}
FILM = {"type": "video/mp4", "category": "video"}
SMALL = b"thumbnail"
_FILE = {
    "message", "conversation", "position", "type", "category", "used_by", "removed_at", "downloads", "created_at",
}  # fmt: skip


class Sender(User):
    """A user who posts files by their ids."""

    async def sends(self, conversation: str, *ids: str, kind: str = "file", **fields: Any) -> dict[str, Any]:
        """The message, as somebody sees it who opens the conversation."""
        fields = {"text": "", "cid": new_id(), "files": [{"file": id} for id in ids]} | fields
        posted = await self.call("messages.post", conversation=conversation, kind=kind, **fields)
        return (await self.call("messages.get", message=posted["message"]))["message"]


class Uploads:
    """What people uploaded to a node. Each file has other bytes, unless `content` says which."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._numbers = itertools.count()

    async def add(self, uploader: User, name: str = "plan.pdf", *, content: str = "", **columns: Any) -> str:
        """A file that was uploaded and not posted; returns its id."""
        id, now = new_id(), now_ms()
        of_file = {"id": id, "uploader": uploader.key, "name": name, "type": "application/pdf"}
        of_file |= {"category": "document", "created_at": now}
        of_file |= {column: value for column, value in columns.items() if column in _FILE}
        said = (content or f"content {next(self._numbers)}").encode()
        of_blob: dict[str, Any] = {
            "name": new_id(), "sha256": hashlib.sha256(said).digest(), "bytes": len(said),
            "place": "local", "scan": "off", "derive": "none", "created_at": now,
        }  # fmt: skip
        of_blob |= {column: value for column, value in columns.items() if column not in _FILE}

        layout = Layout(self.node.core.directory.of_plugin("attachments"))

        def write(tx: Transaction) -> None:
            found = tx.execute(
                "SELECT key, name FROM attachments_blobs WHERE sha256 = ?", (of_blob["sha256"],)
            ).fetchone()
            blob = found[0] if found else insert(tx, "attachments_blobs", of_blob)
            _write(layout.blob(found[1] if found else of_blob["name"]), said)
            again = (
                "UPDATE attachments_blobs SET place = 'local' WHERE key = ? AND place = 'removed' AND scan <> 'unsafe'"
            )
            tx.execute(again, (blob,))
            insert(tx, "attachments_files", of_file | {"blob": blob})
            if of_blob["derive"] == "done" and not found:
                thumbnail = {
                    "blob": blob, "kind": "thumb320", "name": new_id(), "sha256": hashlib.sha256(SMALL).digest(),
                    "type": "image/webp", "bytes": len(SMALL), "width": 32, "height": 24,
                }  # fmt: skip
                _write(layout.derived(thumbnail["name"]), SMALL)
                insert(tx, "attachments_derived", thumbnail)

        await self.node.core.db.write(write)
        return id

    async def picture(self, uploader: User, name: str = "cat.png", **columns: Any) -> str:
        return await self.add(uploader, name, **(PICTURE | columns))

    async def set(self, id: str, **columns: Any) -> None:
        """Change columns of a file or of its content."""

        def write(tx: Transaction) -> None:
            for column, value in columns.items():
                if column in _FILE:
                    tx.execute(f"UPDATE attachments_files SET {column} = ? WHERE id = ?", (value, id))
                else:
                    tx.execute(
                        f"UPDATE attachments_blobs SET {column} = ? "
                        "WHERE key = (SELECT blob FROM attachments_files WHERE id = ?)",
                        (value, id),
                    )

        await self.node.core.db.write(write)

    async def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return await self.node.core.db.read(lambda reader: reader.execute(sql, values).fetchall())


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
