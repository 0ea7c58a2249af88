"""The node in other programs.

    from chatnode.embed import open_node

    async with open_node("data") as node:
        talk = await node.person("ann").conversations.direct(with_="bob")
        await node.person("ann").messages.post(conversation=talk.conversation, text="hello")

That is for trio; `aio.py` has the same for asyncio, and `threads.py` for threads and scripts. Nothing is imported
before it is asked for.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in `typing`, which takes its time to import
if TYPE_CHECKING:
    from chatnode.embed.callers import EmbeddedCaller
    from chatnode.embed.reading import reader
    from chatnode.errors import ConnectionLost, InUse, NodeGone, Refusal, StartError
    from chatnode.node import Node, open_node

__all__ = [
    "ConnectionLost", "EmbeddedCaller", "InUse", "Node", "NodeGone", "Refusal", "StartError", "open_node", "reader",
]  # fmt: skip

_PLACES = {
    "ConnectionLost": "chatnode.errors",
    "EmbeddedCaller": "chatnode.embed.callers",
    "InUse": "chatnode.errors",
    "Node": "chatnode.node",
    "NodeGone": "chatnode.errors",
    "Refusal": "chatnode.errors",
    "StartError": "chatnode.errors",
    "open_node": "chatnode.node",
    "reader": "chatnode.embed.reading",
}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)
