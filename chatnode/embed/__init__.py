"""The node in other programs.

    from chatnode.embed import open_node, reader

Nothing is imported before it is asked for.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in `typing`, which takes its time to import
if TYPE_CHECKING:
    from chatnode.embed.reading import reader
    from chatnode.errors import Refusal, StartError
    from chatnode.node import Node, open_node

__all__ = ["Node", "Refusal", "StartError", "open_node", "reader"]

_PLACES = {
    "Node": "chatnode.node",
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
