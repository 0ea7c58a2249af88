"""Checks a plugin's declaration before it is added to a node. Each problem is reported with its place."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from inspect import isfunction
from typing import Any

import attrs

from chatnode.dispatch.core import RATES
from chatnode.dispatch.subject import Subject
from chatnode.errors import StartError
from chatnode.hooks.calls import MARK
from chatnode.hooks.discovery import NAME
from chatnode.hooks.guard import kind_of_function
from chatnode.hooks.plain_functions import check_plain
from chatnode.hooks.plugin import API_VERSION, Consumer, Plugin
from chatnode.hooks.request_types import check_requests
from chatnode.hooks.routes import METHODS, methods_of, shape_of
from chatnode.hooks.shapes import check_own_kinds, check_shapes
from chatnode.hooks.slash import NAME as SLASH_NAME
from chatnode.model.events import Event
from chatnode.model.permissions import MEMBER, MODERATOR, PERMISSIONS, ROLES
from chatnode.model.records import record
from chatnode.storage.engine.directory import SITE
from chatnode.storage.engine.migrations import own_prefixes
from chatnode.storage.filters.collection import Collection

_WORD = re.compile(r"[a-z][a-z0-9_]{0,60}")
_ROLE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_PART = r"(?:[a-z0-9][a-z0-9._-]*|<[a-z_]+>)"
_PLACE = re.compile("<[a-z_]+>")
_RULE = re.compile(f"{_PART}(?:/{_PART})*")


@record
class Taken:
    """The names that a node has already. `logged` and `ephemeral` are the core's own events."""

    commands: set[str]
    events: set[str]
    logged: frozenset[str]
    ephemeral: frozenset[str]
    collections: set[str]
    settings: set[type[Any]] = attrs.field(factory=set[type[Any]])
    roles: set[str] = attrs.field(factory=lambda: set(ROLES))
    limits: set[str] = attrs.field(factory=lambda: set(RATES))

    @classmethod
    def by(cls, subjects: Sequence[Subject]) -> Taken:
        logged = frozenset(kind.event.name for each in subjects for kind in each.events)
        ephemeral = frozenset(kind.name for each in subjects for kind in each.ephemeral)
        commands = {command.name for each in subjects for command in each.commands}
        collections = set(_collection_names(each for subject in subjects for each in subject.collections))
        return cls(commands, {*logged, *ephemeral}, logged, ephemeral, collections)

    def add(self, plugin: Plugin) -> None:
        """The names of a plugin that was checked."""
        if plugin.settings is not None:
            self.settings.add(plugin.settings)
        self.commands.update(each.name for each in plugin.commands)
        self.events.update(each.name for each in _events(plugin))
        self.collections.update(_collection_names(plugin.collections))
        self.roles.update(each.name for each in plugin.roles)
        self.limits.update(each.name for each in plugin.limits)


_OF_THE_FRAME = frozenset({"id", "event", "gid"})
"""Fields that say what a frame is: with an `id`, clients take it for the reply to a command."""


def check(plugin: Plugin, taken: Taken) -> None:
    """Raises `StartError` with the first fault, and adds the plugin's names to `taken` if there is none."""
    check_shapes(plugin)
    _check_version(plugin)
    _check_required(plugin)
    check_plain(plugin)
    _names("permission", [each.name for each in plugin.permissions], f"{plugin.name}.", PERMISSIONS)
    _check_commands(plugin, taken.commands)
    check_requests(plugin.commands)
    if plugin.settings in taken.settings:
        raise StartError(f"its settings class {plugin.settings.__name__} belongs to another plugin; declare its own")
    _check_events(plugin, taken.events)
    _check_roles(plugin, taken.roles)
    _check_limits(plugin, taken.limits)
    _check_collections(plugin, taken.collections)
    for consumer in plugin.consumers:
        _check_consumer(consumer, taken, {each.name for each in plugin.ephemeral})
    check_own_kinds(plugin, taken.events)
    for what, function in functions_of(plugin):
        if isfunction(function) and kind_of_function(function) == "def":
            raise StartError(f"{what} must be async def, not def")
    _check_words(plugin)
    _check_works(plugin)
    _check_slash(plugin)
    _check_addresses(plugin)
    taken.add(plugin)


def _events(plugin: Plugin) -> list[type[Event]]:
    return [*(kind.event for kind in plugin.events), *plugin.ephemeral]


def _collection_names(collections: Iterable[Collection]) -> list[str]:
    return [name for each in collections for name in (each.name, *each.also)]


def functions_of(plugin: Plugin) -> Iterator[tuple[str, Any]]:
    """The async functions that the node runs, each with what it is; None for those that the plugin leaves out."""
    yield from ((f"the command {each.name}", each.handler) for each in plugin.commands)
    yield from ((f"`earlier` of the command {each.name}", each.earlier) for each in plugin.commands)
    yield from ((f"the consumer {each.name}", each.consume) for each in plugin.consumers)
    yield from ((f"the task {each.name}", each.run) for each in plugin.tasks)
    yield from ((f"the work {each.name}", each.run) for each in plugin.works)
    yield from ((f"the slash command /{each.name}", each.handler) for each in plugin.slash)
    yield from ((f"the route {each.rule}", each.handler) for each in plugin.routes)
    yield from ((f"the page {each.path!r}", each.render) for each in plugin.pages)
    yield from ((f"`submit` of the page {each.path!r}", each.submit) for each in plugin.pages)
    yield from ((f"the value of the metric {each.name}", each.value) for each in plugin.metrics)
    yield "health", plugin.health
    yield "after_removal", plugin.after_removal
    yield "repair", plugin.repair


def _check_commands(plugin: Plugin, taken: Container[str]) -> None:
    _names("command", [each.name for each in plugin.commands], f"{plugin.name}.", taken)
    limits = _limits(plugin)
    for command in plugin.commands:
        if command.limit is not None and command.limit not in limits:
            raise StartError(
                f"the command {command.name} has the limit {command.limit}, "
                "which neither the node nor the plugin declares"
            )


def _limits(plugin: Plugin) -> set[str]:
    """What its commands and routes may count against."""
    return {*RATES, *(limit.name for limit in plugin.limits)}


def _check_events(plugin: Plugin, taken: Container[str]) -> None:
    _names("event", [each.name for each in _events(plugin)], "", taken)
    for event in _events(plugin):
        annotated = {name for each in event.__mro__ for name in getattr(each, "__annotations__", ())}
        if reserved := _OF_THE_FRAME & annotated:  # `attrs.fields` would have each written (model/records.py)
            raise StartError(f"the event {event.name} has the field {min(reserved)}, which the protocol reserves")


def _check_limits(plugin: Plugin, taken: Container[str]) -> None:
    _names("limit", [limit.name for limit in plugin.limits], "", taken)
    settings = {} if plugin.settings is None else attrs.fields_dict(plugin.settings)
    for limit in plugin.limits:
        if limit.setting not in settings:
            raise StartError(f"the limit {limit.name} is read from the setting {limit.setting}, which does not exist")
        if not isinstance(settings[limit.setting].default, int):
            raise StartError(
                f"the limit {limit.name} is read from the setting {limit.setting}, which is not an integer"
            )


def _check_collections(plugin: Plugin, taken: Container[str]) -> None:
    _names("collection", _collection_names(plugin.collections), "", taken)
    for each in plugin.collections:
        _check_order(each)


def _check_words(plugin: Plugin) -> None:
    """Names that are within the plugin."""
    for kind, found in (
        ("consumer", plugin.consumers),
        ("task", plugin.tasks),
        ("work", plugin.works),
        ("metric", plugin.metrics),
    ):
        _names(kind, [each.name for each in found], "", ())
        for each in found:
            if not _WORD.fullmatch(each.name):
                raise StartError(f"the {kind} {each.name!r} must be named with a-z, 0-9 and _")


def _check_works(plugin: Plugin) -> None:
    for work in plugin.works:
        if work.tries < 1 or work.at_once < 1:
            raise StartError(f"the work {work.name} has tries={work.tries}, at_once={work.at_once}; the minimum is 1")


def _check_consumer(consumer: Consumer, taken: Taken, ephemeral: Container[str]) -> None:
    """A kind that is not in the log would never come. Another plugin's may be installed later."""
    own = {name.partition(".")[0] for name in (*taken.logged, *taken.ephemeral)}
    passing = taken.ephemeral
    for kind in sorted(consumer.kinds or ()):
        if kind not in taken.logged and (kind in passing or kind in ephemeral or kind.partition(".")[0] in own):
            raise StartError(f"the consumer {consumer.name} wants events {kind}, which are not in the log")
    if consumer.most < 1:
        raise StartError(f"the consumer {consumer.name} reads {consumer.most} rows at a time; the minimum is 1")


def _check_version(plugin: Plugin) -> None:
    if not NAME.fullmatch(plugin.name):
        raise StartError(f"the name {plugin.name!r} must consist of a-z and 0-9")
    if plugin.name in own_prefixes():
        raise StartError(f"the name {plugin.name} is a prefix of the node's own tables and indexes; choose another")
    if plugin.name == SITE:
        raise StartError(f"the name {plugin.name} is the name of a directory of the node; choose another")
    try:
        major, minor = (int(part) for part in plugin.api.split("."))
    except ValueError:
        raise StartError(f"api is {plugin.api!r}; expected a version such as {API_VERSION}") from None
    ours, most = (int(part) for part in API_VERSION.split("."))
    if major != ours or minor > most:
        newer = "a newer chatnode" if (major, minor) > (ours, most) else "a newer version of the plugin"
        raise StartError(f"it needs version {plugin.api} of chatnode.api, this is {API_VERSION}; install {newer}")


def _check_required(plugin: Plugin) -> None:
    for name in plugin.requires:
        if not NAME.fullmatch(name):
            raise StartError(f"it requires {name!r}, which is not a plugin name: they consist of a-z and 0-9")


def _names(kind: str, names: Iterable[str], prefix: str, taken: Container[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if not name.startswith(prefix) or name == prefix:
            raise StartError(f"the {kind} {name} does not begin with {prefix}")
        if name in seen:
            raise StartError(f"the {kind} {name} is declared twice")
        if name in taken:
            raise StartError(
                f"the {kind} {name} already exists: the node or another plugin declares it; choose another name"
            )
        seen.add(name)


def _check_order(collection: Collection) -> None:
    """Ordering by a field with a permission would refuse the list to users without it, and name the field to them."""
    named = [name.strip().removeprefix("-") for name in collection.order.split(",")]
    for name in (*collection.key, *named):
        field = collection.field(name)
        if field is None and collection.learn is None:
            raise StartError(f"the collection {collection.name} has no field {name!r}, which its key or order names")
        if field is not None and field.permission is not None:
            raise StartError(f"the field {name} of {collection.name} has a permission, so it cannot order the rows")


def _check_roles(plugin: Plugin, taken: Container[str]) -> None:
    _names("role", [role.name for role in plugin.roles], "", taken)
    for role in plugin.roles:
        if not _ROLE.fullmatch(role.name):
            raise StartError(f"the role {role.name!r} is not named in a-z, 0-9, _ and -, with up to 40 characters")
        if not role.permissions:
            raise StartError(f"the role {role.name} has no permission")
        if role.extends not in (None, MEMBER, MODERATOR):
            raise StartError(f"the role {role.name} can extend {MEMBER} or {MODERATOR}, not {role.extends}")


def _check_slash(plugin: Plugin) -> None:
    """Two plugins may have a command of the same name: users then write `/plugin:name`."""
    _names("slash command", [each.name for each in plugin.slash], "", ())
    for each in plugin.slash:
        if not SLASH_NAME.fullmatch(each.name):
            raise StartError(f"the slash command {each.name!r} must be named with a-z, 0-9, _ and -, a letter first")


def _check_addresses(plugin: Plugin) -> None:
    routes, pages = [route.rule for route in plugin.routes], [page.path for page in plugin.pages]
    for rule in (*routes, *pages):
        if rule and not _RULE.fullmatch(rule):
            raise StartError(f"the address {rule!r} must consist of parts of a-z, 0-9, . _ - or <name>, separated by /")
        names = _PLACE.findall(rule)
        if len(names) > len(set(names)):
            raise StartError(f"the address {rule!r} uses the same name twice")
    shapes = [shape_of(rule) for rule in pages]
    for rule, shape in zip(pages, shapes, strict=True):
        if shapes.count(shape) > 1 or any(shape_of(other) == shape for other in routes):
            raise StartError(f"the address {rule!r} is declared twice")
    _check_routes(plugin)


def _check_routes(plugin: Plugin) -> None:
    answered: set[tuple[str, str]] = set()
    limits = _limits(plugin)
    for route in plugin.routes:
        if isinstance(route.methods, str) or not route.methods or not METHODS.issuperset(route.methods):
            raise StartError(f"the route {route.rule} has methods other than {', '.join(sorted(METHODS))}")
        for method in methods_of(route):
            if (shape_of(route.rule), method) in answered:
                raise StartError(f"the address {route.rule!r} is declared twice")
            answered.add((shape_of(route.rule), method))
        if route.limit is not None and route.limit not in limits:
            raise StartError(
                f"the route {route.rule} has the limit {route.limit}, which neither the node nor the plugin declares"
            )


def declaration(source: Any) -> Plugin:
    """What `chatnode_plugin` returns; raises `StartError`."""
    declare = getattr(source, "chatnode_plugin", None)
    if getattr(declare, MARK, None) is None:
        raise StartError("it has no function chatnode_plugin marked with hookimpl")
    plugin = declare() if callable(declare) else None
    if not isinstance(plugin, Plugin):
        raise StartError(f"its chatnode_plugin returns {type(plugin).__name__} instead of a Plugin")
    return plugin
