"""Whose a key of a message's metadata is: `polls.id` is the plugin polls', and nobody else's to write."""

from __future__ import annotations

from collections.abc import Container, Mapping


def foreign_key(metadata: Mapping[str, str], plugins: Container[str], writer: str | None) -> tuple[str, str] | None:
    """A key that belongs to another plugin than `writer`, with that plugin's name; None if there is no such key.

    `plugins` are those that the node knows. A key begins with the name of its plugin and a dot.
    """
    for key in metadata:
        owner, dot, _ = key.partition(".")
        if dot and owner != writer and owner in plugins:
            return key, owner
    return None
