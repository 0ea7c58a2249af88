"""Data that grows old, and what of it is left in the files of the database."""

from __future__ import annotations

from chatnode.model.times import DAY_MS
from chatnode.node import Node
from chatnode.storage.engine.transaction import Transaction


async def days_pass(node: Node, days: int) -> None:
    """Everything that was said or closed so far is so much older."""

    def write(tx: Transaction) -> None:
        tx.execute("UPDATE messages SET at = at - ?", (days * DAY_MS,))
        tx.execute("UPDATE conversations SET closed_at = closed_at - ?, last_at = last_at - ?", (days * DAY_MS,) * 2)

    await node.core.db.write(write)


def on_disk(node: Node) -> bytes:
    """The bytes of the database, with its log."""
    return b"".join(path.read_bytes() for path in node.directory.path.glob("chatnode.sqlite3*"))
