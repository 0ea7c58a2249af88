"""chatnode: a chat server in one process.

    from chatnode import open_node

    async with open_node(Path("data")) as node:
        await node.serve("127.0.0.1:8008")

The client library is `chatnode.client`; plugins import `chatnode.api`.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in `typing`, which takes its time to import
if TYPE_CHECKING:
    from chatnode.node import Node, open_node

__version__ = "0.1.0"
__all__ = ["Node", "open_node"]


def __getattr__(name: str) -> object:
    """The node is imported when it is asked for: the client library and the command line do without it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from chatnode import node

    return getattr(node, name)
