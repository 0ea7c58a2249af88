"""The names of events that a program asks for."""

from __future__ import annotations

from collections.abc import Iterable

from chatnode.dispatch.core import Core
from chatnode.hooks.manager import Manager
from chatnode.model.ephemeral import EPHEMERAL


def kinds_in_log(core: Core, kinds: Iterable[str] | None) -> frozenset[str] | None:
    """The names, all of events that the log has; None: all of them. Raises `ValueError` and `TypeError`."""
    return _known(kinds, frozenset(core.db.additions.events))


def kinds_pushed(core: Core, kinds: Iterable[str] | None) -> frozenset[str] | None:
    """The same, with events that are only pushed."""
    of_plugins = [event.name for loaded in core.part(Manager) for event in loaded.plugin.ephemeral]
    return _known(kinds, frozenset((*core.db.additions.events, *EPHEMERAL, *of_plugins)))


def words(given: Iterable[str] | None) -> frozenset[str] | None:
    """The words; raises `TypeError` for one word alone, which would be taken as its letters."""
    if isinstance(given, str):
        raise TypeError(f"expected a collection, such as {{{given!r}}}")
    return None if given is None else frozenset(given)


def _known(given: Iterable[str] | None, names: frozenset[str]) -> frozenset[str] | None:
    kinds = words(given)
    if kinds is not None and (unknown := sorted(kinds - names)):
        raise ValueError(f"no event {unknown[0]!r} can be asked for here; there are {', '.join(sorted(names))}")
    return kinds
