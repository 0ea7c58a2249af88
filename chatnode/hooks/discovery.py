"""Which plugins are installed: the entry points of the group `chatnode`, each named as its plugin is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from chatnode.errors import StartError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "chatnode"
NAME = re.compile("[a-z][a-z0-9]{0,30}")
"""Of a plugin."""


class Installed(NamedTuple):
    """A plugin that can be loaded. `load` imports it and gives the module or object with its hooks; it may raise
    anything."""

    name: str
    distribution: str
    version: str
    load: Callable[[], Any]


def installed() -> list[Installed]:
    """Every plugin that is installed here, in the order of their names. Imports none."""
    from importlib.metadata import entry_points  # the command line is quicker without it

    found: dict[str, Installed] = {}
    for each in map(_installed, entry_points(group=GROUP)):
        found[each.name] = _brought_twice(found[each.name], each) if each.name in found else each
    return [found[name] for name in sorted(found)]


def given(plugins: Iterable[Any]) -> list[Installed]:
    """Plugins that a program hands over itself: modules, or objects with hooks; each is named by what it declares."""
    return [Installed(each.chatnode_plugin().name, "", "", lambda each=each: each) for each in plugins]


def _brought_twice(one: Installed, other: Installed) -> Installed:
    """Which of the two would run is chance: neither does."""

    def load() -> Any:
        names = " and ".join(sorted({one.distribution, other.distribution}))
        raise StartError(f"more than one installed distribution brings it: {names}; uninstall all but one")

    return Installed(one.name, "", "", load)


def _installed(point: EntryPoint) -> Installed:
    distribution = point.dist
    if distribution is None or "Name" not in distribution.metadata:  # what is left when an installation was cut off
        return Installed(point.name, "", "", point.load)
    return Installed(point.name, distribution.name, distribution.version or "", point.load)
