"""Works of a plugin that does not run: they wait, and can be looked at and steered."""

from __future__ import annotations

from chatnode.node import Node
from chatnode.storage.work import work
from chatnode.storage.work.work import NewWork
from chatnode.testing import User


async def stored_work(node: Node, owner: User | None = None, title: str = "Count") -> str:
    """Start one; returns its id."""
    new = NewWork("counting.count", title, {"upto": 7}, owner.key if owner is not None else None)
    return await node.core.db.write(lambda tx: work.start(tx, new))
