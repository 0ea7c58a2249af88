"""Addresses that must not be imported: of contacts that were erased, or do not want to be in the node's tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from chatnode.api import Querying

Suppressor = Callable[[Querying, Sequence[str]], Mapping[str, str]]
"""Gets normalised addresses; returns why some of them are suppressed. It must not say what the addresses are."""

_suppressors: list[Suppressor] = []


def suppress_by(suppressor: Suppressor) -> None:
    """Ask this function, too. Called once, when the plugin is put together."""
    if suppressor not in _suppressors:
        _suppressors.append(suppressor)


def suppressed_among(reader: Querying, email_keys: Sequence[str]) -> dict[str, str]:
    """Why some of the addresses must not be imported."""
    found: dict[str, str] = {}
    if email_keys:
        for suppressor in _suppressors:
            found.update(suppressor(reader, email_keys))
    return found
