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
    from chatnode.node import open_node

__all__ = [
    "ConnectionLost", "EmbeddedCaller", "InUse", "NodeGone", "Refusal", "StartError", "open_node", "reader",
]  # fmt: skip

_PLACES = {
    "ConnectionLost": "chatnode.errors",
    "EmbeddedCaller": "chatnode.embed.callers",
    "InUse": "chatnode.errors",
    "NodeGone": "chatnode.errors",
    "Refusal": "chatnode.errors",
    "StartError": "chatnode.errors",
    "open_node": "chatnode.node",
    "reader": "chatnode.embed.reading",
}


def __getattr__(name: str) -> object:
    if name == "Node":  # not an AttributeError, as `from chatnode.embed import Node` would not show what that says
        raise ImportError(
            "chatnode.embed has no Node; import it from chatnode.embed.aio in asyncio, or from chatnode.embed.threads "
            "in threads and scripts; on trio use open_node"
        )
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)
