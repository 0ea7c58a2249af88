"""What else goes when a contact is deleted. Each part of the plugin that stores something about contacts has a function
for it; `chatnode_crm/__init__.py` names them, because this package knows nothing of the other parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chatnode.api import Transaction

Forget = Callable[[Transaction, Sequence[int]], None]
"""Deletes what a part has stored about the contacts with these keys. It records no events."""

_others: tuple[Forget, ...] = ()


def also_forget(functions: Sequence[Forget]) -> None:
    """Call these, in this order, for contacts that are deleted. Part of the declaration: called once, on import."""
    global _others
    _others = tuple(functions)


def forget_elsewhere(tx: Transaction, keys: Sequence[int]) -> None:
    """Delete what the other parts have stored about the contacts."""
    for forget in _others:
        forget(tx, keys)
