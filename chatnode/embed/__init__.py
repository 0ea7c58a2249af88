"""A node inside another program: `aio.py` for asyncio, `threads.py` for threads and scripts, `open_node` for trio.

from chatnode.embed.aio import Node

async with Node("chat-data") as chat:
    await chat.operator.call("people.create", handle="ann")
"""

from __future__ import annotations

from chatnode.errors import NodeGone, Refusal, StartError

TYPE_CHECKING = False  # as in `typing`, which takes its time to import
if TYPE_CHECKING:
    from chatnode.node import open_node

__all__ = ["NodeGone", "Refusal", "StartError", "open_node"]


def __getattr__(name: str) -> object:
    """The node is imported when it is asked for."""
    if name != "open_node":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from chatnode.node import open_node

    return open_node
