"""Which plugins are installed: the entry points of the group `chatnode`, each named as its plugin is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from chatnode.errors import StartError

if TYPE_CHECKING:
    from importlib.metadata import Distribution

GROUP = "chatnode"
NAME = re.compile("[a-z][a-z0-9]{0,30}")
"""Of a plugin."""


class Installed(NamedTuple):
    """A plugin that can be loaded. `load` imports it and returns the module or object with its hooks; it may raise
    anything."""

    name: str
    distribution: str
    version: str
    load: Callable[[], Any]


def installed() -> list[Installed]:
    """Every plugin that is installed here, in the order of their names. Imports none."""
    from importlib.metadata import entry_points  # the command line is quicker without it

    found: dict[str, Installed] = {}
    names: dict[int, tuple[str, str]] = {}
    for point in entry_points(group=GROUP):
        distribution = point.dist
        if id(distribution) not in names:  # each look at it reads and parses the file again
            names[id(distribution)] = _name_and_version(distribution)
        each = Installed(point.name, *names[id(distribution)], point.load)
        found[each.name] = _brought_twice(found[each.name], each) if each.name in found else each
    return [found[name] for name in sorted(found)]


def choose(plugins: Iterable[Any], only: Iterable[Any] | None) -> list[Installed]:
    """The plugins of a node: those that a program passes to it, as modules or objects with hooks, and installed ones.

    `plugins` come besides the installed ones, in place of one of the same name; `only`, if given, instead of them all.
    Raises `StartError` when two that are given have one name, or one is not a plugin.
    """
    found = _named(only) if only is not None else {each.name: each for each in installed()}
    return [*(found | _named(plugins)).values()]


def _named(given: Iterable[Any]) -> dict[str, Installed]:
    """By the name that each declares."""
    found: dict[str, Installed] = {}
    for each in given:
        if not hasattr(each, "chatnode_plugin"):
            raise StartError(f"{each!r} is not a plugin: expected a module or an object with hooks, not a name")
        name = name_of(each)
        if name in found:
            raise StartError(f"two plugins have the name {name}")
        found[name] = Installed(name, "", "", lambda each=each: each)
    return found


def name_of(source: Any) -> str:
    """The name that a plugin declares. If its declaration cannot be read, that of its module or class, under which the
    node reports it as broken."""
    try:
        return str(source.chatnode_plugin().name)
    except (Exception, SystemExit):
        return str(getattr(source, "__name__", type(source).__name__))


def _brought_twice(one: Installed, other: Installed) -> Installed:
    """Which of the two would run is undefined, so neither does."""

    def load() -> Any:
        names = " and ".join(sorted({one.distribution, other.distribution}))
        raise StartError(f"several installed distributions provide it: {names}; uninstall all but one")

    return Installed(one.name, "", "", load)


def _name_and_version(distribution: Distribution | None) -> tuple[str, str]:
    """Both empty for what is left when an installation was cut off."""
    if distribution is None or "Name" not in (metadata := distribution.metadata):
        return "", ""
    return metadata["Name"], metadata["Version"] if "Version" in metadata else ""  # noqa: SIM401 - it promises no `get`
