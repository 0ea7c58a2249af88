"""Reviews a plugin more strictly than a node does: descriptions, arguments, indexes, exports."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from chatnode.config import Config
from chatnode.dispatch.subject import Subject
from chatnode.hooks.arguments import wrong_arguments
from chatnode.hooks.discovery import Installed, installed
from chatnode.hooks.guard import FAILURES
from chatnode.hooks.manager import Manager
from chatnode.hooks.plugin import Plugin
from chatnode.hooks.request_types import fault_of_request
from chatnode.model.permissions import ROLES
from chatnode.settings import class_of_table
from chatnode.storage.engine.directory import DataDirectory
from chatnode.storage.node.reviewing import faults
from chatnode.storage.upkeep.upgrading import upgrade


def review(found: Installed, subjects: Sequence[Subject]) -> list[str]:
    """A line for each problem of a plugin. Loads it on a temporary data directory.

    `subjects` are the core's, whose names the plugin cannot take.
    """
    config = Config()
    with TemporaryDirectory(prefix="chatnode-review-") as folder:
        directory = DataDirectory(Path(folder))
        directory.claim()
        try:
            upgrade(directory, config)
            manager = Manager(config, subjects)
            with closing(manager.load([found, *_required_by(found)], directory)) as connection:
                (status,) = [each for each in manager.statuses() if each.name == found.name]
                if status.state != "running":
                    return [f"it is not running: {status.reason}"]
                plugin = manager.loaded[found.name].plugin
                roles = {*ROLES, *(role.name for each in manager for role in each.plugin.roles)}
                return [
                    *_without_words(plugin),
                    *_of_unknown_roles(plugin, roles),
                    *wrong_arguments(plugin),
                    *filter(None, map(fault_of_request, plugin.commands)),
                    *faults(connection, plugin.tables, plugin.collections),
                ]
        finally:
            directory.release()


def _required_by(found: Installed) -> list[Installed]:
    """The installed plugins that a plugin requires, directly or indirectly. Missing ones are reported when it is
    loaded.
    """
    there = {each.name: each for each in installed()}
    needed: dict[str, Installed] = {}
    looked_at = [found]
    for each in looked_at:
        try:
            requires = each.load().chatnode_plugin().requires
        except FAILURES:  # said when it is loaded
            continue
        for name in requires:
            if name != found.name and name in there and name not in needed:
                needed[name] = there[name]
                looked_at.append(there[name])
    return list(needed.values())


def _without_words(plugin: Plugin) -> Iterator[str]:
    """Missing descriptions."""
    if not plugin.about.strip():
        yield "it has no description: set Plugin.about"
    for command in plugin.commands:
        if not command.summary:
            yield f"the command {command.name} has no description: give its handler a docstring"
    for event in (*(kind.event for kind in plugin.events), *plugin.ephemeral):
        if not own_words(event):
            yield f"the event {event.name} has no description: give {event.__name__} a docstring"
    yield from _settings_without_help(plugin.settings, "") if plugin.settings is not None else ()
    for permission in plugin.permissions:
        if not permission.meaning.strip():
            yield f"the permission {permission.name} has no description: set its meaning"
    for slash in plugin.slash:
        if not slash.about.strip():
            yield f"the slash command /{slash.name} has no description: set its about"
    for metric in plugin.metrics:
        if not metric.help.strip():
            yield f"the metric {metric.name} has no description: set its help"
    for route in plugin.routes:
        if not route.summary.strip():
            yield f"the route {route.rule} has no description: set its summary"


def _of_unknown_roles(plugin: Plugin, roles: Collection[str]) -> Iterator[str]:
    """A role may be the operator's, but a plugin cannot know of it."""
    for permission in plugin.permissions:
        for role in permission.roles:
            if role not in roles:
                yield f"the permission {permission.name} is for the role {role}; roles are {', '.join(sorted(roles))}"


def _settings_without_help(kind: type[object], table: str) -> Iterator[str]:
    for field in attrs.fields(kind):
        if not field.metadata.get("help", "").strip():
            yield f"the setting {table}{field.name} has no help: declare it as setting(default, help)"
        if (inner := class_of_table(field)) is not None:
            yield from _settings_without_help(inner, f"{table}{field.name}.")


def own_words(kind: type[object]) -> str:
    """A class's own docstring, not one inherited from a parent."""
    return inspect.cleandoc(kind.__dict__.get("__doc__") or "")
