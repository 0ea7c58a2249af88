"""Is a plugin fit to be used by others? Beyond what a node refuses: descriptions, indexes, what is exported."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from chatnode.config import Config
from chatnode.hooks.discovery import Installed
from chatnode.hooks.manager import Manager
from chatnode.hooks.plugin import Plugin
from chatnode.storage.additions import Table
from chatnode.storage.connection import Reader, connect_writer
from chatnode.storage.directory import DataDirectory
from chatnode.storage.upgrading import upgrade


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
            manager.load([found], directory, commands)
            (status,) = manager.statuses()
            if status.state != "running":
                return [f"it does not run: {status.reason}"]
            plugin = manager.loaded[found.name].plugin
            with closing(connect_writer(directory.database, config.storage)) as connection:
                return [*_without_words(plugin), *_faults_of_tables(connection, plugin)]
        finally:
            directory.release()


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
    for field in attrs.fields(plugin.settings) if plugin.settings is not None else ():
        if not field.metadata.get("help", "").strip():
            yield f"the setting {field.name} has no help: make it with setting(default, help)"
    for permission in plugin.permissions:
        if not permission.meaning.strip():
            yield f"the permission {permission.name} does not say what it allows: meaning"
    for metric in plugin.metrics:
        if not metric.help.strip():
            yield f"the metric {metric.name} does not say what it counts: help"
    for route in plugin.routes:
        if not route.summary.strip():
            yield f"the route {route.rule} does not say what it is for: summary"


def own_words(kind: type[object]) -> str:
    """A class's own docstring; attrs writes none, and a parent's says something else."""
    return inspect.cleandoc(kind.__dict__.get("__doc__") or "")


def _faults_of_tables(connection: Reader, plugin: Plugin) -> Iterator[str]:
    for table in plugin.tables:
        for column in (*table.people, *([table.message] if table.message is not None else [])):
            if _scans(connection, table.name, f"SELECT rowid FROM {table.name} WHERE {column} = 1"):  # noqa: S608
                yield f"{table.name}.{column} has no index: when somebody is erased every row would be looked at"
        yield from _faults_of_export(connection, table)


def _faults_of_export(connection: Reader, table: Table) -> Iterator[str]:
    if table.export is None:
        return
    missing = [name for name in (":person", ":after", ":limit") if name not in table.export]
    if missing:
        yield f"what {table.name} exports does not take {', '.join(missing)}"
        return
    cursor = connection.execute(table.export, {"person": 1, "after": 0, "limit": 1})
    if len(cursor.description) < 2:
        yield f"what {table.name} exports has only the column that is not shown"
    if _scans(connection, table.name, table.export, {"person": 1, "after": 0, "limit": 1}):
        yield f"what {table.name} exports is found by looking at every row: give it an index"


def _scans(connection: Reader, table: str, sql: str, values: dict[str, int] | None = None) -> bool:
    """Whether SQLite would look at every row of the table: none is found by what it is equal to, such as (person=?)."""
    aliases = {table, *_aliases(table, sql)}
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values or {})]
    return any(
        detail.split()[0] in ("SCAN", "SEARCH") and detail.split()[1] in aliases and "=" not in detail
        for detail in plan
    )


def _aliases(table: str, sql: str) -> Iterator[str]:
    words = sql.replace(",", " ").split()
    for place, word in enumerate(words[:-1]):
        if word == table:
            yield words[place + 2] if words[place + 1].upper() == "AS" and place + 2 < len(words) else words[place + 1]
