"""Is a plugin fit to be used by others? Beyond what a node refuses: descriptions, indexes, what is exported."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from chatnode.config import Config
from chatnode.hooks.discovery import Installed, installed
from chatnode.hooks.guard import FAILURES
from chatnode.hooks.manager import Manager
from chatnode.hooks.plugin import Plugin
from chatnode.settings import class_of_table
from chatnode.storage.engine.connection import connect_writer
from chatnode.storage.engine.directory import DataDirectory
from chatnode.storage.node.reviewing import faults
from chatnode.storage.upkeep.upgrading import upgrade


def review(found: Installed, commands: Iterable[str]) -> list[str]:
    """What is wrong with a plugin, a line for each fault; tried on a new data directory, which goes again.

    `commands` are the names of the node's own.
    """
    config = Config()
    with TemporaryDirectory(prefix="chatnode-review-") as folder:
        directory = DataDirectory(Path(folder))
        directory.claim()
        try:
            upgrade(directory, config)
            manager = Manager(config)
            manager.load([found, *_required_by(found)], directory, commands)
            (status,) = [each for each in manager.statuses() if each.name == found.name]
            if status.state != "running":
                return [f"it does not run: {status.reason}"]
            plugin = manager.loaded[found.name].plugin
            with closing(connect_writer(directory.database, config.storage)) as connection:
                return [*_without_words(plugin), *faults(connection, plugin.tables)]
        finally:
            directory.release()


def _required_by(found: Installed) -> list[Installed]:
    """The installed plugins that a plugin requires, and those that they require. Loading names what is missing."""
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
    """What somebody who uses or runs it would have to guess."""
    if not plugin.about.strip():
        yield "it does not say what it is for: about"
    for command in plugin.commands:
        if not command.summary:
            yield f"the command {command.name} does not say what it does: give its handler a docstring"
    for kind in plugin.events:
        if not own_words(kind.event):
            yield f"the event {kind.event.name} does not say what happened: give {kind.event.__name__} a docstring"
    yield from _settings_without_help(plugin.settings, "") if plugin.settings is not None else ()
    for permission in plugin.permissions:
        if not permission.meaning.strip():
            yield f"the permission {permission.name} does not say what it allows: meaning"
    for metric in plugin.metrics:
        if not metric.help.strip():
            yield f"the metric {metric.name} does not say what it counts: help"
    for route in plugin.routes:
        if not route.summary.strip():
            yield f"the route {route.rule} does not say what it is for: summary"


def _settings_without_help(kind: type[object], table: str) -> Iterator[str]:
    for field in attrs.fields(kind):
        if not field.metadata.get("help", "").strip():
            yield f"the setting {table}{field.name} has no help: make it with setting(default, help)"
        if (inner := class_of_table(field)) is not None:
            yield from _settings_without_help(inner, f"{table}{field.name}.")


def own_words(kind: type[object]) -> str:
    """A class's own docstring; attrs writes none, and a parent's says something else."""
    return inspect.cleandoc(kind.__dict__.get("__doc__") or "")
