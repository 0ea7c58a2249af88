"""Plugins that require others: the order in which they are loaded, and circles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def in_order(requires: Mapping[str, Sequence[str]]) -> list[str]:
    """The names in order, except that each comes after those it requires, if they are present. Circles are in any
    order.
    """
    ordered: dict[str, None] = {}

    def place(name: str, above: frozenset[str]) -> None:
        for needed in sorted(requires[name]):
            if needed in requires and needed not in ordered and needed not in above:
                place(needed, above | {needed})
        ordered[name] = None

    for name in sorted(requires):
        place(name, frozenset({name}))
    return list(ordered)


def circle_of(name: str, requires: Mapping[str, Sequence[str]]) -> list[str] | None:
    """A circle of requirements through a plugin, such as a, b, a; None if there is none."""
    tried: set[str] = set()
    ways = [[name]]
    for way in ways:  # the shortest first
        for needed in requires.get(way[-1], ()):
            if needed == name:
                return [*way, name]
            if needed not in tried:
                tried.add(needed)
                ways.append([*way, needed])
    return None
