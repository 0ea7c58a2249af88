"""Which plugin owns a key of a message's metadata: only the plugin `polls` may write `polls.id`."""

from __future__ import annotations

from collections.abc import Container, Mapping


def foreign_key(metadata: Mapping[str, str], plugins: Container[str], writer: str | None) -> tuple[str, str] | None:
    """A key that belongs to a plugin other than `writer`, with that plugin's name; None if there is no such key.

    `plugins` are those that the node knows. A plugin's key begins with its name and a dot.
    """
    for key in metadata:
        owner, dot, _ = key.partition(".")
        if dot and owner != writer and owner in plugins:
            return key, owner
    return None
