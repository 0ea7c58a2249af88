"""The names of events that a program asks for."""

from __future__ import annotations

from collections.abc import Iterable

from chatnode.dispatch.core import Core
from chatnode.errors import WrongKind
from chatnode.hooks.manager import Manager
from chatnode.model.commands.resume import Cursor
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


def checked_who(who: object) -> str:
    """A handle or an id; raises `TypeError` for anything else, such as the user as an object."""
    if not isinstance(who, str):
        raise WrongKind(f"a user is named by handle or id, a string, not {type(who).__name__}")
    return who


def checked_cursor(after: object) -> Cursor | None:
    """Where to go on; raises `TypeError` for what is no cursor."""
    if after is not None and not isinstance(after, Cursor):
        raise WrongKind(f"expected the `cursor` of an item, not {type(after).__name__}")
    return after


def _known(given: Iterable[str] | None, names: frozenset[str]) -> frozenset[str] | None:
    kinds = words(given)
    if kinds is not None and (unknown := sorted(kinds - names)):
        raise ValueError(f"no event {unknown[0]!r} can be asked for here; there are {', '.join(sorted(names))}")
    return kinds
