"""Checks that a declaration has the classes it should have: slips that Python does not notice, such as a string for a
tuple of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from math import inf
from typing import Any, cast

from chatnode.dispatch.table import Command
from chatnode.errors import StartError
from chatnode.hooks.plugin import Consumer, Limit, Metric, Page, Permission, Plugin, PluginRole, Step, Task
from chatnode.hooks.routes import Route
from chatnode.hooks.setting_classes import check_settings
from chatnode.hooks.slash import Slash
from chatnode.hooks.work import WorkKind
from chatnode.model.events import Event
from chatnode.storage.engine.additions import EventKind, Table
from chatnode.storage.filters.collection import Collection
from chatnode.storage.filters.kinds import Kind

_ITEMS: Mapping[str, type[Any]] = {
    "steps": Step,
    "tables": Table,
    "permissions": Permission,
    "roles": PluginRole,
    "limits": Limit,
    "commands": Command,
    "events": EventKind,
    "collections": Collection,
    "consumers": Consumer,
    "tasks": Task,
    "works": WorkKind,
    "slash": Slash,
    "routes": Route,
    "pages": Page,
    "metrics": Metric,
}
"""What each list of a declaration holds."""


def check_shapes(plugin: Plugin) -> None:
    """Raises `StartError`. All other checks may rely on it."""
    for field in ("name", "version", "api", "about"):
        if not isinstance(cast("object", getattr(plugin, field)), str):
            raise StartError(f"{field} is {getattr(plugin, field)!r}; expected a string")
    for field, kind in _ITEMS.items():
        _check_list(field, getattr(plugin, field), kind)
    _check_events(plugin)
    steps = [step.name for step in plugin.steps]
    if twice := [name for name in steps if steps.count(name) > 1]:
        raise StartError(f"the step {twice[0]} is declared twice")
    for task in plugin.tasks:
        if not _is_schedule(task.every):
            raise StartError(
                f"`every` of the task {task.name} is {task.every!r}; expected seconds (0 means never), or a function "
                "of the settings"
            )
    for collection in plugin.collections:
        for field in collection.fields:
            if not isinstance(cast("object", field.kind), Kind):
                raise StartError(
                    f"the field {field.name} of the collection {collection.name} has the kind {field.kind!r}; "
                    "expected an instance, such as kinds.String()"
                )
    if plugin.settings is not None:
        check_settings(plugin.settings)
    check_command_line(plugin)
    for what, names in _names(plugin):
        if isinstance(names, str):
            raise StartError(f"{what} is a string; expected names, such as ({names!r},)")


def check_command_line(plugin: Plugin) -> None:
    """Raises `StartError` unless `cli` is a command of click, which the command line needs before a node runs."""
    if plugin.cli is None:
        return
    import click  # only plugins with commands need it

    if not isinstance(cast("object", plugin.cli), click.Command):
        raise StartError(f"cli is {plugin.cli!r}; expected a click command or group: decorate it with @click.command()")


def _is_schedule(every: object) -> bool:
    return every is None or callable(every) or (type(every) in (int, float) and 0 <= cast("float", every) < inf)


def _check_list(field: str, found: object, kind: type[Any]) -> None:
    if not isinstance(found, Sequence) or isinstance(found, str):
        raise StartError(f"{field} is not a list or tuple; for one {kind.__name__} write ({kind.__name__}(…),)")
    for each in cast("Sequence[object]", found):
        if not isinstance(each, kind):
            shown = each.__name__ if isinstance(each, type) else type(each).__name__
            raise StartError(f"{field} has {shown}; expected {kind.__name__}")


def _check_events(plugin: Plugin) -> None:
    for event in (*(kind.event for kind in plugin.events), *plugin.ephemeral):
        found = cast("object", event)
        if not isinstance(found, type) or not issubclass(found, Event):
            raise StartError(f"{found!r} is not a class of events; derive it from Event")
        if not isinstance(getattr(found, "name", None), str):
            raise StartError(f"the event class {found.__name__} has no name, such as {plugin.name}.changed")


def _names(plugin: Plugin) -> Iterator[tuple[str, object]]:
    """Where several names may stand."""
    yield "requires", plugin.requires
    yield from ((f"`kinds` of the consumer {each.name}", each.kinds) for each in plugin.consumers)
    yield from ((f"`roles` of the permission {each.name}", each.roles) for each in plugin.permissions)
    yield from ((f"`permissions` of the role {each.name}", each.permissions) for each in plugin.roles)
    yield from ((f"`people` of the table {each.name}", each.people) for each in plugin.tables)
    for each in plugin.collections:
        yield f"`key` of the collection {each.name}", each.key
        yield f"`also` of the collection {each.name}", each.also


def check_own_kinds(plugin: Plugin, events: Set[str]) -> None:
    """A consumer that waits for an event of its own plugin, which does not have it, would wait for ever. `events` are
    all that are known. Raises `StartError`."""
    own = {kind.event.name for kind in plugin.events}
    for consumer in plugin.consumers:
        for kind in sorted(consumer.kinds or ()):
            if kind.startswith(f"{plugin.name}.") and kind not in own and kind not in events:
                raise StartError(f"the consumer {consumer.name} wants events {kind}, which the plugin does not declare")
