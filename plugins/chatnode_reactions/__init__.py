"""Reactions."""

from __future__ import annotations

from chatnode.api import Plugin, hookimpl


@hookimpl
def chatnode_plugin() -> Plugin:
    """The declaration."""
    return Plugin(name="reactions", version="0.1.0", api="1.0", about="Reactions.")
