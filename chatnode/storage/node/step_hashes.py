"""Hashes of the steps of plugins that were applied: a step that was changed after that does nothing, and is told."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import orjson

from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.engine.migrations import Migration, without_remarks


def store_new(connection: Reader, plugin: str, steps: Sequence[Migration]) -> None:
    """Store the hashes of steps that are new here, in a transaction of its own. All of `steps` are applied."""
    known = _known(connection, plugin)
    new = {step.name: _hash(step.sql) for step in steps if step.name not in known}
    if new:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            "INSERT INTO node (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (_key(plugin), orjson.dumps(known | new).decode()),
        )
        connection.execute("COMMIT")


def changed(source: Querying, plugin: str, steps: Sequence[Migration]) -> list[str]:
    """The names of steps that were applied and are not what they were then."""
    known = _known(source, plugin)
    return [step.name for step in steps if step.name in known and known[step.name] != _hash(step.sql)]


def forget(source: Querying, plugin: str) -> None:
    """The plugin's tables are dropped."""
    source.execute("DELETE FROM node WHERE key = ?", (_key(plugin),))


def _known(source: Querying, plugin: str) -> dict[str, str]:
    row = source.execute("SELECT value FROM node WHERE key = ?", (_key(plugin),)).fetchone()
    return orjson.loads(row[0]) if row is not None else {}


def _key(plugin: str) -> str:
    return f"steps of {plugin}"


def _hash(sql: str) -> str:
    """Of what SQLite runs: remarks and line breaks may change."""
    return hashlib.sha256(" ".join(without_remarks(sql).split()).encode()).hexdigest()
