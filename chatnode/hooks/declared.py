"""Is what a plugin declares fit to be added to a node? Every fault is said with its place, before anything is added."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from inspect import iscoroutinefunction, isfunction
from typing import Any

import attrs

from chatnode.dispatch.core import RATES
from chatnode.errors import StartError
from chatnode.hooks.plugin import API_VERSION, Consumer, Plugin
from chatnode.model.events import EVENTS
from chatnode.model.permissions import PERMISSIONS
from chatnode.model.presence import PASSING
from chatnode.storage.engine.migrations import own_prefixes
from chatnode.storage.filters.collections import COLLECTIONS

_NAME = re.compile(r"[a-z][a-z0-9]{0,30}")
_WORD = re.compile(r"[a-z][a-z0-9_]{0,60}")
_PART = r"(?:[a-z0-9][a-z0-9._-]*|<[a-z_]+>)"
_PLACE = re.compile("<[a-z_]+>")
_RULE = re.compile(f"{_PART}(?:/{_PART})*")


METHODS = {"GET", "POST", "PUT", "DELETE"}


@attrs.define
class Taken:
    """The names that a node has already."""

    commands: set[str]
    events: set[str] = attrs.field(factory=lambda: {*EVENTS, *PASSING})
    settings: set[type[Any]] = attrs.field(factory=set[type[Any]])
    limits: set[str] = attrs.field(factory=lambda: set(RATES))
    collections: set[str] = attrs.field(
        factory=lambda: {name for each in COLLECTIONS for name in (each.name, *each.also)}
    )


def check(plugin: Plugin, taken: Taken) -> None:
    """Raises `StartError` with the first fault, and adds the plugin's names to `taken` if there is none."""
    _check_version(plugin)
    _check_required(plugin)
    prefix = f"{plugin.name}."
    permissions = {each.name for each in plugin.permissions}
    _names("permission", permissions, prefix, PERMISSIONS)
    names = [each.name for each in plugin.commands]
    _names("command", names, prefix, taken.commands)
    for command in plugin.commands:
        _check_permission(f"the command {command.name}", command.permission, permissions)
        _check_permission(f"the command {command.name}", command.or_permission, permissions)
        if command.limit is not None and command.limit not in {*RATES, *(limit.name for limit in plugin.limits)}:
            raise StartError(f"the command {command.name} has the limit {command.limit}, which nobody declares")
    if plugin.settings in taken.settings:
        raise StartError(f"its settings are the class {plugin.settings.__name__} of another plugin; it needs its own")
    events = [kind.event.name for kind in plugin.events]
    _names("event", events, "", taken.events)
    limits = [limit.name for limit in plugin.limits]
    _names("limit", limits, "", taken.limits)
    for limit in plugin.limits:
        if plugin.settings is None or limit.setting not in attrs.fields_dict(plugin.settings):
            raise StartError(f"the limit {limit.name} is read from the setting {limit.setting}, which is not there")
        if not isinstance(attrs.fields_dict(plugin.settings)[limit.setting].default, int):
            raise StartError(f"the limit {limit.name} is read from the setting {limit.setting}, no whole number")
    collections = [name for each in plugin.collections for name in (each.name, *each.also)]
    _names("collection", collections, "", taken.collections)
    for each in plugin.collections:
        _check_permission(f"the collection {each.name}", each.permission, permissions)
    for consumer in plugin.consumers:
        _check_consumer(consumer)
    for what, function in _run_by_the_node(plugin):
        if isfunction(function) and not iscoroutinefunction(function):
            raise StartError(f"{what} must be async def, and is def")
    for kind, found in (("consumer", plugin.consumers), ("task", plugin.tasks), ("metric", plugin.metrics)):
        _names(kind, [each.name for each in found], "", ())
        for each in found:
            if not _WORD.fullmatch(each.name):
                raise StartError(f"the {kind} {each.name!r} is not named in a-z, 0-9 and _")
    _check_addresses(plugin, permissions)
    if plugin.settings is not None:
        taken.settings.add(plugin.settings)
    taken.commands.update(names)
    taken.events.update(events)
    taken.limits.update(limits)
    taken.collections.update(collections)


def _run_by_the_node(plugin: Plugin) -> Iterator[tuple[str, Any]]:
    yield from ((f"the consumer {each.name}", each.consume) for each in plugin.consumers)
    yield from ((f"the task {each.name}", each.run) for each in plugin.tasks)
    yield from ((f"the value of the metric {each.name}", each.value) for each in plugin.metrics)
    yield "health", plugin.health


def _check_consumer(consumer: Consumer) -> None:
    """A kind of the node's own that there is not would never come. Another plugin's may be there another time."""
    own = {name.partition(".")[0] for name in (*EVENTS, *PASSING)}
    for kind in sorted(consumer.kinds or ()):
        if kind not in EVENTS and (kind in PASSING or kind.partition(".")[0] in own):
            raise StartError(f"the consumer {consumer.name} wants events {kind}, which are not in the log")
    if consumer.most < 1:
        raise StartError(f"the consumer {consumer.name} takes {consumer.most} rows at a time; it must be 1 or more")


def _check_version(plugin: Plugin) -> None:
    if not _NAME.fullmatch(plugin.name):
        raise StartError(f"the name {plugin.name!r} is not made of a-z and 0-9")
    if plugin.name in own_prefixes():
        raise StartError(f"the name {plugin.name} begins names of the node's own tables; the plugin needs another")
    try:
        major, minor = (int(part) for part in plugin.api.split("."))
    except ValueError:
        raise StartError(f"api is {plugin.api!r}; it takes a version such as {API_VERSION}") from None
    ours, most = (int(part) for part in API_VERSION.split("."))
    if major != ours or minor > most:
        newer = "a newer chatnode" if (major, minor) > (ours, most) else "a newer version of the plugin"
        raise StartError(f"it is made for version {plugin.api} of chatnode.api, this is {API_VERSION}: install {newer}")


def _check_required(plugin: Plugin) -> None:
    if isinstance(plugin.requires, str):
        raise StartError(f"requires is a text; it takes names, such as ({plugin.requires!r},)")
    for name in plugin.requires:
        if not _NAME.fullmatch(name):
            raise StartError(f"it requires {name!r}, which is no name of a plugin: they are made of a-z and 0-9")


def _names(kind: str, names: Iterable[str], prefix: str, taken: Container[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if not name.startswith(prefix) or name == prefix:
            raise StartError(f"the {kind} {name} does not begin with {prefix}")
        if name in taken or name in seen:
            raise StartError(f"the {kind} {name} is there already")
        seen.add(name)


def _check_permission(what: str, permission: str | None, own: Container[str]) -> None:
    if permission is not None and permission not in PERMISSIONS and permission not in own:
        raise StartError(f"{what} takes the permission {permission}, which nobody declares")


def _check_addresses(plugin: Plugin, permissions: Container[str]) -> None:
    rules = [route.rule for route in plugin.routes] + [page.path for page in plugin.pages]
    for rule in rules:
        if rule and not _RULE.fullmatch(rule):
            raise StartError(f"the address {rule!r} is not made of a-z, 0-9, . _ - and <name>, with / between")
        names = _PLACE.findall(rule)
        if len(names) > len(set(names)):
            raise StartError(f"the address {rule!r} has two places of one name")
        if rules.count(rule) > 1:
            raise StartError(f"there are two addresses {rule!r}")
    for route in plugin.routes:
        if isinstance(route.methods, str) or not route.methods or not METHODS.issuperset(route.methods):
            raise StartError(f"the route {route.rule} has methods that are not among {', '.join(sorted(METHODS))}")
        _check_permission(f"the route {route.rule}", route.permission, permissions)
    for page in plugin.pages:
        _check_permission(f"the page {page.path}", page.permission, permissions)
