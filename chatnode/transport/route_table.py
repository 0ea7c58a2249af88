"""Which route of a plugin a request is for: rules, and the addresses they match."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from chatnode.hooks.manager import Loaded
from chatnode.hooks.routes import Route, methods_of, shape_of

_PREFIX = "/plugins/"


@attrs.define
class Destination:
    """The routes of one address, by method, and the values of its places, in order. Without routes it is a page's."""

    owner: Loaded
    routes: dict[str, Route]
    values: list[str]

    @property
    def allowed(self) -> list[str]:
        """All methods, with that which the node itself answers."""
        return sorted({*self.routes, "OPTIONS"})

    def path(self, route: Route) -> dict[str, str]:
        """The values by the names that the route gives to its places."""
        names = [part[1:-1] for part in route.rule.split("/") if part.startswith("<")]
        return dict(zip(names, self.values, strict=True))


class RouteTable:
    """All routes of the plugins. Where rules overlap, a fixed part goes before a place, as with pages."""

    def __init__(self, plugins: Iterable[Loaded]) -> None:
        self._plugins: dict[str, tuple[Loaded, list[tuple[list[str], dict[str, Route]]]]] = {}
        self.addresses: set[str] = set()
        """Every route's address, as a rule."""
        for each in plugins:
            name = each.plugin.name
            shapes: dict[str, dict[str, Route]] = {shape_of(page.path): {} for page in each.plugin.pages}
            for route in each.plugin.routes:
                shapes.setdefault(shape_of(route.rule), {}).update(dict.fromkeys(methods_of(route), route))
                self.addresses.add(f"{_PREFIX}{name}/{route.rule}")
            rules = [(shape.split("/"), routes) for shape, routes in shapes.items()]
            self._plugins[name] = each, sorted(rules, key=lambda rule: [part == "<>" for part in rule[0]])

    def find(self, address: str) -> Destination | None:
        """None if the address is not a route's. A place takes one part of it, which is not empty."""
        if not address.startswith(_PREFIX):
            return None
        name, *parts = address.removeprefix(_PREFIX).split("/")
        if name not in self._plugins:
            return None
        owner, rules = self._plugins[name]
        for shape, routes in rules:
            if len(shape) == len(parts) and all(map(_fits, shape, parts)):
                values = [part for wanted, part in zip(shape, parts, strict=True) if wanted == "<>"]
                return Destination(owner, routes, values) if routes else None
        return None


def _fits(wanted: str, part: str) -> bool:
    return bool(part) if wanted == "<>" else part == wanted
