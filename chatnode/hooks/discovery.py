"""Which plugins are installed: the entry points of the group `chatnode`, each named as its plugin is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import attrs

GROUP = "chatnode"


@attrs.frozen
class Installed:
    """A plugin that can be loaded. `load` imports it and gives the module or object with its hooks; it may raise
    anything."""

    name: str
    distribution: str
    version: str
    load: Callable[[], Any]


def installed() -> list[Installed]:
    """Every plugin that is installed here, in the order of their names. Imports none."""
    found = {point.name: _installed(point) for point in entry_points(group=GROUP)}
    return [found[name] for name in sorted(found)]


def given(plugins: Iterable[Any]) -> list[Installed]:
    """Plugins that a program hands over itself: modules, or objects with hooks; each is named by what it declares."""
    return [Installed(each.chatnode_plugin().name, "", "", lambda each=each: each) for each in plugins]


def _installed(point: EntryPoint) -> Installed:
    distribution = point.dist
    return Installed(
        point.name, distribution.name if distribution else "", distribution.version if distribution else "", point.load
    )
